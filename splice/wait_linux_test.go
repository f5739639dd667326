package splice

import "golang.org/x/sys/unix"

const pollHangup = unix.POLLRDHUP
