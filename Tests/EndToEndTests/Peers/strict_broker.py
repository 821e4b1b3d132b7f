"""A Danube broker made of PyPI's grpcio, as far as a producer sees one, that answers no message.

--ping-strikes: how many pings too early it forgives (gRPC's own default is 2). Every call is
printed as a JSON line.
"""

import argparse
import json
import sys
import threading
from concurrent import futures

import grpc

from danube.proto import DanubeApi_pb2 as api
from danube.proto import DanubeApi_pb2_grpc as services


def emit(event, **fields):
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Broker(services.DiscoveryServicer, services.ProducerServiceServicer):
    def TopicLookup(self, request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such topic yet")

    def CreateProducer(self, request, context):
        emit("created", topic=request.topic_name)
        return api.ProducerResponse(
            request_id=request.request_id, producer_id=7, producer_name=request.producer_name)

    def SendMessage(self, request, context):
        over = threading.Event()
        context.add_callback(over.set)
        emit("message")
        over.wait()
        emit("gone")
        context.abort(grpc.StatusCode.CANCELLED, "over")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ping-strikes", type=int, default=2)
    arguments = parser.parse_args()
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=16),
        options=[("grpc.http2.max_ping_strikes", arguments.ping_strikes)])
    broker = Broker()
    services.add_DiscoveryServicer_to_server(broker, server)
    services.add_ProducerServiceServicer_to_server(broker, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    emit("listening", offset=port)
    for _ in sys.stdin:
        pass


main()
