#!/bin/bash
# Associates the elastic IP ALLOCATION with the private address PRIVATE of INSTANCE, which is this instance, in REGION.
# The instance's role permits it. LIMIT: seconds until the script gives up, by default 60. API: URL of EC2's API, if it
# is not AWS's own. Source: EC2's API reference, AssociateAddress.
set -euo pipefail

end=$((SECONDS + ${LIMIT:-60}))
while [ "$SECONDS" -lt "$end" ]; do
    # this succeeds too if the instance has the address already
    if output=$(timeout 20 aws ec2 associate-address ${API:+--endpoint-url "$API"} --region "$REGION" \
        --allocation-id "$ALLOCATION" --instance-id "$INSTANCE" --private-ip-address "$PRIVATE" --allow-reassociation \
        --cli-connect-timeout 5 --cli-read-timeout 10 2>&1 >/dev/null); then
        exit 0
    fi
    case $output in
        *AuthFailure* | *UnauthorizedOperation* | *InvalidAllocationID* | *InvalidInstanceID.NotFound*)
            echo "AWS refuses to associate $ALLOCATION with $INSTANCE; check the instance's role: $output" >&2
            exit 1
            ;;
    esac
    sleep 1
done
echo "AWS did not associate $ALLOCATION with $INSTANCE within ${LIMIT:-60} s; its last answer: $output" >&2
exit 1
