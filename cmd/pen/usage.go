package main

// usage is the answer to --help, and to a command line that gives pen nothing to do.
const usage = `usage:
  pen [options] [host:]port|/path/to/socket server ...
  pen [options] -F file
  pen --check -F file

  A server is host[:port[:max[:hard[:weight[:prio]]]]] or /path/to/socket. Options may follow the operands.

  -B, --abuse host:port     abuse server for naughty clients
  -C, --control addr        control port, on this machine unless an address is given, or path of a Unix socket
  -F, --config file         name of configuration file, read last and after a HUP signal
  -H, --http                add X-Forwarded-For header in http requests (not available yet)
  -O, --command command     use command in penctl format
  -P, --poll                use poll() to wait for events
  -T, --tracking sec        tracking time in seconds (0 = forever) [0]
  -U, --udp                 use udp protocol support
  -W, --weight              use weight for server selection
  -X, --enable-exit         enable 'exit' command for control port
  -a, --ascii               debugging dumps in ascii format
  -b, --blacklist sec       blacklist time in seconds [30]
  -c, --clients-max N       max number of clients [65536]
  -d, --debug               debugging on (repeat -d for more)
  -e, --emergency host:port emergency server of last resort
  -f, --foreground          stay in foreground
  -h, --hash                use hash for initial server selection
  -j, --chroot dir          run in chroot
  -l, --log file            request log, a file or host:port of a penlogd
  -m, --multi-accept N      accept up to N connections at a time [64]
  -o, --option command      like -O
  -p, --pid-file file       write pid to file
  -q, --listen-queue N      let up to N connections wait to be accepted [500]
  -r, --roundrobin          bypass client tracking in server selection
  -s, --stubborn            stubborn selection, i.e. don't fail over
  -t, --timeout sec         connect timeout in seconds [3]
  -u, --user user           run as alternative user
  -w, --web-stats file      save statistics in HTML format in a file
  -x, --conn-max N          max number of simultaneous connections [as many as the descriptor limit allows]

  -E, --tls-cert file       use the given certificate in PEM format (not available yet)
  -K, --tls-key file        use the given key in PEM format (not available yet)
  -G, --tls-ca file         file containing the CA's certificate (not available yet)
  -A, --tls-ca-dir dir      directory containing CA certificates (not available yet)
  -Z, --tls-compat          use SSL compatibility mode (not available yet)
  -R, --tls-verify          require valid peer certificate (not available yet)
  -L, --tls-protocol name   least version of the protocol (not available yet)

      --least-connections   choose the server with the fewest connections
      --two-choices         choose the one with fewer connections of two servers drawn at random
      --maglev              choose the server by a consistent hash of the client's address

      --check               read options and files, say what is wrong with them, and do nothing
      --metrics addr        metrics for Prometheus and a status page; a bare port is on 127.0.0.1
      --help                show this text
      --version             show the version

  Obsolete and without effect: -D, --delayed-forward; -Q, --kqueue; -n, --non-blocking; -S, --servers N.
  Windows only: -i, --install name.

example:
  pen smtp mailhost1:smtp mailhost2:25 mailhost3
`
