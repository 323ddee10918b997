// What a service manager and a service have to say to each other: how the service is (the protocol of sd_notify: one datagram to
// $NOTIFY_SOCKET), and the socket that the manager keeps for it (that of sd_listen_fds: $LISTEN_PID, $LISTEN_FDS).
#pragma once

void notify(const char *state); // "READY=1"; nothing when nobody wants to know
// The descriptor of the one socket that was handed over; 0: none was. Only the first call gives it.
int notify_take_socket(void);
