"""What ``logyard demo`` shows: an application whose instances log to files, and somebody who receives syslog."""
