"""A conversation of Debian's python3-socketio client with the contract application.

Usage: python_client.py URL TRANSPORTS COUNT, where TRANSPORTS is "polling", "websocket" or "polling,websocket".
Prints one JSON object with what it saw and ends with status 0, or fails loudly.
"""

import json
import os
import sys
import threading

import socketio

LIMIT = 10

url, transports, count = sys.argv[1], sys.argv[2].split(","), int(sys.argv[3])
client = socketio.Client(reconnection=False)
seen = {"welcome": [], "n": [], "echo": []}
enough = threading.Event()
echoed = threading.Event()


@client.on("welcome")
@client.on("welcome", namespace="/custom")
def on_welcome(nsp):
    seen["welcome"].append(nsp)


@client.on("n")
def on_number(number):
    seen["n"].append(number)
    if len(seen["n"]) == count:
        enough.set()


@client.on("echo")
def on_echo(*args):
    seen["echo"].append([list(arg) if isinstance(arg, bytes) else arg for arg in args])
    echoed.set()


@client.on("question")
def on_question(question):
    return "python says", question


def wait(event, what):
    if not event.wait(LIMIT):
        raise SystemExit("no %s within %d s; seen: %s" % (what, LIMIT, seen))


client.connect(url, transports=transports, namespaces=["/", "/custom"], wait_timeout=LIMIT)
seen["answer"] = client.call("echo", {"a": ["ü", None]}, timeout=LIMIT)
seen["bytes"] = list(client.call("echo", b"\x01\x02\x00", timeout=LIMIT))
client.emit("echo", ("text", b"\xff\x00", {"deep": 1}))
wait(echoed, "echo")
client.emit("count", (0, count))
wait(enough, "%d numbers" % count)
seen["asked"] = client.call("ask and wait", "why?", timeout=LIMIT)
for number in range(count):
    client.emit("c", number)
seen["report"] = client.call("c report", timeout=LIMIT)
seen["custom"] = client.call("echo", "over there", namespace="/custom", timeout=LIMIT)
seen["transport"] = client.transport()
client.disconnect()
print(json.dumps(seen), flush=True)
# All has been said. The interpreter would wait for this client's threads, and one of them may sit in a last poll for
# as long as the server lets it.
os._exit(0)
