// Tells the service manager how a service is (the protocol of sd_notify: one datagram to $NOTIFY_SOCKET).
#pragma once

void notify(const char *state); // "READY=1"; nothing when nobody wants to know
