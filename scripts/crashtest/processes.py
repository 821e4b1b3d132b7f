"""The programs of the crash test: gateways that are killed, brokers, and consumers on them."""

import os
import random
import re
import signal
import socket
import subprocess
import time

from crashtest.devices import KEYS, LANES

ENVIRONMENT = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
MARK = re.compile(rb"@(\d+)\.(\d+)\.(\d+)\.")


def free_ports(count, host):
    """Below the ports of outgoing connections: a client that looks for a gateway which was killed
    would sooner or later be given that gateway's port, and be connected with itself."""
    probes = []
    while len(probes) < count:
        probe = socket.socket()
        try:
            probe.bind((host, random.randrange(10_000, 30_000)))
            probes.append(probe)
        except OSError:
            probe.close()
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


class EndedByItself(Exception):
    pass


class Gateway:
    """A gateway that can be killed, and started again on what it left."""

    def __init__(self, binary, folder, name, config):
        self.binary, self.name = binary, name
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder)
        self.config = os.path.join(self.folder, "edge.toml")
        with open(self.config, "w") as file:
            file.write(config)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        self.process = None
        self.kills = self.repeats = 0

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "run", "--config", self.config], stdout=self.log, stderr=self.log,
            cwd=self.folder, env=ENVIRONMENT)

    def check(self):
        """Only a kill of ours may end it. One that could not start is started again, as a supervisor
        does."""
        if self.process is not None and self.process.poll() is not None:
            if self.process.returncode == 69 and self.repeats < 50:
                self.repeats += 1
                return self.start()
            raise EndedByItself(
                f"{self.name} ended by itself ({self.process.returncode}); see {self.log.name}")

    def kill(self):
        if self.process is None:
            return
        self.check()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = None
        self.kills += 1

    def await_port(self, host, port):
        deadline = time.monotonic() + 30
        while True:
            self.check()
            try:
                return socket.create_connection((host, port), 0.2).close()
            except OSError:
                if time.monotonic() > deadline:
                    raise EndedByItself(f"{self.name} does not listen; see {self.log.name}")
                time.sleep(0.02)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


class Deliveries:
    """All that consumers got: which numbers, how often, and whether each key came in order."""

    def __init__(self, client_count):
        self.seen = [bytearray() for _ in range(client_count)]
        self.last = [[0] * KEYS for _ in range(client_count)]
        self.unique = self.duplicates = self.out_of_order = 0
        self.examples = []

    def take(self, chunk):
        seen, last = self.seen, self.last
        for client, key, number in MARK.findall(chunk):
            client, key, number = int(client), int(key), int(number)
            marks = seen[client]
            if number >= len(marks):
                marks.extend(bytes(number + 8192 - len(marks)))
            if marks[number]:
                self.duplicates += 1
                continue
            marks[number] = 1
            self.unique += 1
            if number < last[client][key]:
                self.out_of_order += 1
                if len(self.examples) < 10:
                    self.examples.append(
                        f"client {client} key {key}: {number} after {last[client][key]}")
            else:
                last[client][key] = number

    def has(self, client, number):
        return number < len(self.seen[client]) and self.seen[client][number] != 0


class Consumers:
    """A `danube-gateway tail` of each topic, with a subscription that is kept."""

    def __init__(self, binary, folder, url, selector, deliveries):
        self.deliveries = deliveries
        self.processes, self.rests = [], {}
        self.log = open(os.path.join(folder, "consumers.log"), "ab")
        for lane in range(LANES):
            process = subprocess.Popen(
                [binary, "tail", f"/default/lane-{lane}", "--url", url, "--subscription", "crash"],
                stdout=subprocess.PIPE, stderr=self.log, env=ENVIRONMENT)
            os.set_blocking(process.stdout.fileno(), False)
            selector.register(process.stdout.fileno(), 1, self)
            self.processes.append(process)

    def read(self, descriptor):
        try:
            chunk = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return
        if not chunk:
            raise EndedByItself(f"a consumer ended by itself; see {self.log.name}")
        chunk = self.rests.get(descriptor, b"") + chunk
        end = chunk.rfind(b"\n") + 1
        self.rests[descriptor] = chunk[end:]
        self.deliveries.take(chunk[:end])

    def stop(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()
            process.stdout.close()
        self.log.close()
