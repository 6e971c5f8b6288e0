# Calls the handler of producer.py for each line of standard input, an event as
# JSON, as Lambda does, and prints what it returns. A web application is asked
# instead, with the event as the query.
import io
import json
import sys
from urllib.parse import urlencode

import producer


def ask(event, context):
    query = urlencode({"country": event["country"], "price": event["prices"]}, doseq=True)
    environ = {"QUERY_STRING": query, "wsgi.input": io.BytesIO()}
    answer = producer.application(environ, lambda status, headers, error=None: None)
    try:
        return json.loads(b"".join(answer))
    finally:
        answer.close()


handler = getattr(producer, "handler", ask)
print("ready", flush=True)
for line in sys.stdin:
    print("answer", json.dumps(handler(json.loads(line), None)), flush=True)
