//go:build unix && !linux

package splice

const pollHangup = 0 // no such event: the end of the stream takes one more read
