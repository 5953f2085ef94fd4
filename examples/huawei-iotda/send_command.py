"""Sends a synchronous command with the Python SDK of Huawei Cloud and prints the device's answer.

    send_command.py DEVICE COMMAND [PARAS]      PARAS is a JSON object

DRAGOMAN_HTTP names another address than http://127.0.0.1:8080.
"""

import json
import os
import sys

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkiotda.v5 import CreateCommandRequest, DeviceCommandRequest, IoTDAClient

ENDPOINT = os.environ.get("DRAGOMAN_HTTP", "http://127.0.0.1:8080")
TOKEN = "huawei-example-token"


def main():
    device, command = sys.argv[1:3]
    paras = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    # The SDK wants an access key to sign with; the gateway looks at the token. The third is the project.
    credentials = BasicCredentials("ak", "sk", "example")
    client = IoTDAClient.new_builder().with_credentials(credentials).with_endpoint(ENDPOINT).build()
    body = DeviceCommandRequest(service_id="Example", command_name=command, paras=paras)
    invoker = client.create_command_invoker(CreateCommandRequest(device_id=device, body=body))
    answer = invoker.add_header("X-Auth-Token", TOKEN).invoke()
    print(answer)
    sys.exit(0 if answer.response and answer.response["result_code"] == 0 else 1)


main()
