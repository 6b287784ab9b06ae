#!/bin/bash
# Associates the elastic IP ALLOCATION with the private address PRIVATE of the instance INSTANCE, this one, in REGION, by
# the instance's role. Source: EC2's API reference, AssociateAddress.
set -euo pipefail

end=$((SECONDS + ${LIMIT:-60}))
while [ "$SECONDS" -lt "$end" ]; do
    # already ours is a success too
    if output=$(timeout 20 aws ec2 associate-address ${API:+--endpoint-url "$API"} --region "$REGION" \
        --allocation-id "$ALLOCATION" --instance-id "$INSTANCE" --private-ip-address "$PRIVATE" --allow-reassociation \
        --cli-connect-timeout 5 --cli-read-timeout 10 2>&1 >/dev/null); then
        exit 0
    fi
    case $output in
        *AuthFailure* | *UnauthorizedOperation* | *InvalidAllocationID* | *InvalidInstanceID.NotFound*)
            echo "AWS refuses to move $ALLOCATION to $INSTANCE: $output" >&2
            exit 1
            ;;
    esac
    sleep 1
done
echo "$ALLOCATION did not come to $INSTANCE within ${LIMIT:-60} s; the last answer: $output" >&2
exit 1
