#!/usr/bin/env python3
"""A device: reports a temperature by long polling, and can be switched on and off.

Needs python-socketio and requests:  pip install "python-socketio[client]"
Usage:  python3 device.py [name] [url]
"""

import random
import sys
import time

import socketio

name = sys.argv[1] if len(sys.argv) > 1 else "python"
url = sys.argv[2] if len(sys.argv) > 2 else "http://localhost:8787"

client = socketio.Client()
heater = {"on": False}


@client.on("switch", namespace="/devices")
def switch(is_on):
    """What is returned is the acknowledgement."""
    heater["on"] = is_on
    print("switched", "on" if is_on else "off", flush=True)
    return is_on



def auth():
    """It is called at each connect, because the panel has to show the state of the heater after a reconnection too."""
    return {"name": name, "isOn": heater["on"]}


client.connect(url, namespaces=["/devices"], auth=auth, transports=["polling"])
print("connected", flush=True)

temperature = 20.0
while True:
    temperature += random.uniform(-0.2, 0.2) + (0.5 if heater["on"] else 0)
    try:
        client.emit("reading", round(temperature, 1), namespace="/devices")
    except socketio.exceptions.BadNamespaceError:
        # The client is not connected at the moment, and reconnects by itself. This reading is left out.
        pass
    time.sleep(5)
