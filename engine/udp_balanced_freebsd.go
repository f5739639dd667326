package engine

// balancedDatagrams: SO_REUSEPORT_LB spreads datagrams over the sockets of a port by a hash of the client's address
// (setsockopt(2)).
const balancedDatagrams = true
