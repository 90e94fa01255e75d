"""A libtorrent session for the tests of the real clients: one JSON command a line on stdin, one JSON reply a line on stdout.

Arguments: the address and the port to listen on. The session ends when stdin does, so it cannot outlive its test.
"""
import json
import os
import sys

import libtorrent as lt


def start(address, port):
    return lt.session({
        "listen_interfaces": "%s:%s" % (address, port),
        "outgoing_interfaces": address,
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "enable_outgoing_utp": False, "enable_incoming_utp": False,
        # Every instance of a test has the same address.
        "allow_multiple_connections_per_ip": True,
        "min_announce_interval": 2, "tracker_backoff": 10, "min_reconnect_time": 2,
        # A small send buffer keeps the uploaded count close to what the peer has really received.
        "send_buffer_watermark": 64 << 10, "send_buffer_watermark_factor": 10,
        "alert_mask": lt.alert.category_t.error_notification | lt.alert.category_t.peer_notification,
    })


def settings(session, command):
    session.apply_settings(command["values"])
    return {}


def add(session, command):
    params = lt.add_torrent_params()
    if "magnet" in command:
        params = lt.parse_magnet_uri(command["magnet"])
    else:
        params.ti = lt.torrent_info(command["torrent"])
    params.save_path = command["folder"]
    params.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(params)
    if command.get("upload_limit"):
        handle.set_upload_limit(command["upload_limit"])
    return {}


def connect(session, command):
    session.get_torrents()[0].connect_peer((command["address"], command["port"]))
    return {}


def status(session, _command):
    handle = session.get_torrents()[0]
    state = handle.status()
    return {
        "state": str(state.state), "seeding": state.is_seeding, "progress": state.progress, "peers": state.num_peers,
        "uploaded": state.total_payload_upload, "downloaded": state.total_payload_download,
        "clients": [peer.client.decode("utf-8", "replace") if isinstance(peer.client, bytes) else peer.client
                    for peer in handle.get_peer_info()],
        "port": session.listen_port(),
    }


def create(_session, command):
    storage = lt.file_storage()
    lt.add_files(storage, command["folder"])
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only, "hybrid": 0}[command["kind"]]
    torrent = lt.create_torrent(storage, command["piece_length"], flags)
    for url in command.get("trackers", []):
        torrent.add_tracker(url, 0)
    lt.set_piece_hashes(torrent, os.path.dirname(command["folder"]))
    with open(command["output"], "wb") as output:
        output.write(lt.bencode(torrent.generate()))
    hashes = lt.torrent_info(command["output"]).info_hashes()
    return {
        "info_hash_v1": str(hashes.v1) if hashes.has_v1() else None,
        "info_hash_v2": str(hashes.v2) if hashes.has_v2() else None,
    }


def main():
    session = start(sys.argv[1], sys.argv[2])
    operations = {"settings": settings, "add": add, "connect": connect, "status": status, "create": create}
    for line in sys.stdin:
        command = json.loads(line)
        try:
            reply = operations[command["op"]](session, command)
        except Exception as error:  # the test prints it
            reply = {"error": "%s: %s" % (type(error).__name__, error)}
        for alert in session.pop_alerts():
            sys.stderr.write("%s: %s\n" % (type(alert).__name__, alert.message()))
        sys.stderr.flush()
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
    os._exit(0)


main()
