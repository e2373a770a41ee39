"""Makes calls by Python's gRPC as its users would: with no options but the name in the server's certificate.

Reads JSON from standard input: the server, and calls to make one after the other. Writes for each how it came out.
"""

import json
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


class Schema:
    """Message types and methods, from a file of descriptors."""

    def __init__(self, path):
        self._pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet()
        with open(path, "rb") as descriptors:
            files.ParseFromString(descriptors.read())
        # Those that a file imports come before it.
        for file in files.file:
            self._pool.AddSerializedFile(file.SerializeToString())
        self._factory = message_factory.MessageFactory(self._pool)

    def type(self, name):
        return self._factory.GetPrototype(self._pool.FindMessageTypeByName(name))

    def method(self, path):
        service, name = path.split("/")
        return self._pool.FindServiceByName(service).methods_by_name[name]

    def to_dict(self, message):
        return json_format.MessageToDict(message, descriptor_pool=self._pool)

    def from_dict(self, value, name):
        return json_format.ParseDict(value, self.type(name)(), descriptor_pool=self._pool)


def open_channel(address, ca, bearer, server_name):
    credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(ca.encode()), grpc.access_token_call_credentials(bearer)
    )
    return grpc.secure_channel(address, credentials, [("grpc.ssl_target_name_override", server_name)])


def failure(schema, error):
    """A status, with the details that it carries decoded."""
    trailers = dict(error.trailing_metadata() or ())
    status = schema.type("google.rpc.Status").FromString(trailers.get("grpc-status-details-bin", b""))
    return {
        "code": error.code().name,
        "message": error.details(),
        "statusMessage": status.message,
        "details": [schema.to_dict(detail) for detail in status.details],
    }


def call(schema, channel, wanted):
    method = schema.method(wanted["method"])
    request = schema.from_dict(wanted.get("request", {}), method.input_type.full_name)
    # descriptors of Python do not tell before protobuf 4 whether a method streams.
    make = channel.unary_stream if wanted.get("stream") else channel.unary_unary
    rpc = make(
        "/" + wanted["method"],
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=schema.type(method.output_type.full_name).FromString,
    )
    answer = rpc(request, timeout=wanted.get("timeoutSeconds"))
    return list(answer) if wanted.get("stream") else [answer]


def outcome(schema, channel, wanted):
    """Follows `nextPageToken` where it is asked to; of what is listed, only one field of each item is told."""
    listed = wanted.get("listed")
    request = dict(wanted.get("request", {}))
    messages = []
    try:
        while True:
            answers = call(schema, channel, {**wanted, "request": request})
            for answer in answers:
                shown = schema.to_dict(answer)
                if listed:
                    shown[listed["field"]] = [item.get(listed["key"]) for item in shown.get(listed["field"], [])]
                messages.append(shown)
            token = messages[-1].get("nextPageToken") if listed else None
            if not token:
                return {"messages": messages}
            request["pageToken"] = token
    except grpc.RpcError as error:
        return {"messages": messages, "error": failure(schema, error)}


def main():
    wanted = json.load(sys.stdin)
    schema = Schema(wanted["descriptors"])
    with open_channel(wanted["address"], wanted["ca"], wanted["bearer"], wanted["serverName"]) as channel:
        json.dump([outcome(schema, channel, one) for one in wanted["calls"]], sys.stdout)


main()
