package daemon

// Sandbox is what a program may still reach in the file system when it has restricted itself. Files that are open, sockets and
// the network are not concerned.
type Sandbox struct {
	Read  []string // files and directories with all below, to read and to execute; missing ones are left out
	Write []string // directories, to make, change and remove files in
}
