"""Three RabbitMQ nodes of one cluster on loopback; a World takes it for its RabbitMQ."""
import os
import re

from servers import RabbitMQ, wait_for


class Cluster:
    def __init__(self, count=3):
        self.nodes = [RabbitMQ() for _ in range(count)]
        first = self.nodes[0]
        for node in self.nodes:
            node.environment["ERL_EPMD_PORT"] = str(first.epmd_port)
            with open(os.path.join(node.folder, ".erlang.cookie"), "w", opener=lambda path, flags: os.open(path, flags, 0o400)) as file:
                file.write("BURSARTESTS")
        self.url = ",".join(node.url for node in self.nodes)

    def __enter__(self):
        try:
            first, *others = self.nodes
            first.start()
            for node in others:
                node.epmd = first.epmd  # one for all; the first node ends it
                node.start()
                for words in (["stop_app"], ["join_cluster", first.node], ["start_app"]):
                    node.ctl(*words)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc):
        self.close()

    @property
    def alive(self):
        return [node for node in self.nodes if node.process is not None]

    @property
    def port(self):
        return self.alive[0].port

    def leader(self, queue="bursar.deductions"):
        """The node that leads the quorum queue; None while there is an election."""
        for line in self.alive[0].ctl("list_queues", "name", "leader", check=False).splitlines():
            words = line.split("\t")
            if words[0] == queue:
                return next((node for node in self.alive if node.node == words[1].strip()), None)
        return None

    def members(self, queue="bursar.deductions"):
        for line in self.alive[0].ctl("list_queues", "name", "online", check=False).splitlines():
            if line.startswith(queue + "\t"):
                return len(re.findall(r"bursar\d+@", line))
        return 0

    def start(self, node):
        node.start()
        wait_for("the queue's members to be in step", 120, lambda: self.members() == len(self.alive), 1)

    def close(self):
        for node in reversed(self.nodes):
            if node is not self.nodes[0]:
                node.epmd = None
            node.close()
