"""Waits until the API responds, or imports data for the operations that need some: places, a batch of prices, and a datum.

usage: seed.py URL KEY [--wait]
"""

import datetime
import json
import sys
import time
import urllib.error
import urllib.request

url, key = sys.argv[1:3]
SECONDS = 60


def send(method, path, media_type=None, body=None):
    headers = {"Authorization": f"Bearer {key}"}
    if media_type:
        headers["Content-Type"] = media_type
    request = urllib.request.Request(url + path, method=method, headers=headers, data=body)
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        return response.read()


if "--wait" in sys.argv:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            send("GET", "/readyz")
            sys.exit()
        except (urllib.error.URLError, ConnectionError) as error:
            if time.monotonic() > deadline:
                sys.exit(f"the API does not become ready: {error}")
            time.sleep(0.1)

places = {
    "regions": [{"slug": "iberia", "name": "Iberia"}],
    "places": [
        {"code": "ESBCN", "name": "Barcelona", "region_slug": "iberia"},
        {"code": "ESMAD", "name": "Madrid", "region_slug": "iberia"},
    ],
}
send("PUT", "/places", "application/json", json.dumps(places).encode())
today = datetime.date.today().isoformat()
price = {"orig_code": "ESMAD", "dest_code": "ESBCN", "day": today, "price": 57.5}
send("POST", "/rates/batches", "application/json", json.dumps([price] * 3).encode())
send("POST", "/multivac/data", "application/x-www-form-urlencoded", b"data=LET+THERE+BE+LIGHT!")
