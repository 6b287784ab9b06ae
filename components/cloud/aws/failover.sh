#!/bin/bash
# Associates the elastic IP ALLOCATION with the private address PRIVATE of INSTANCE, which is this instance, in REGION,
# by the instance's role. LIMIT: seconds until it gives up. API: another address of EC2's API. Source: EC2's API
# reference, AssociateAddress.
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
