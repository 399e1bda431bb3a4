"""Imports data for the operations that need some: places, a batch of prices, and a datum.

usage: seed.py URL KEY
"""

import datetime
import json
import sys
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
