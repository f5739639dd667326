# Completion of penctl's command line in fish, from a directory of $fish_complete_path.

# The words behind the address, without the one that is being written; service NAME is left out.
function __penctl_words
    set -l words (commandline -opc)[2..]
    while string match -q -- '-*' $words[1]
        contains -- $words[1] -t --timeout; and set -e words[1]
        set -e words[1]
    end
    set -e words[1]
    while test "$words[1]" = service -a (count $words) -gt 1
        set -e words[1..2]
    end
    for word in $words
        printf "%s\n" $word
    end
end

# The address is there, and no word behind it.
function __penctl_address
    set -l words (commandline -opc)[2..]
    while string match -q -- '-*' $words[1]
        contains -- $words[1] -t --timeout; and set -e words[1]
        set -e words[1]
    end
    test (count $words) -gt 0
end

function __penctl_first
    __penctl_address; and test (count (__penctl_words)) = 0
end

# The first word behind the address is one of these.
function __penctl_is
    set -l words (__penctl_words)
    contains -- "$words[1]" $argv
end

complete -c penctl -s t -l timeout -x -d 'give up when pen neither connects nor answers for so long'
complete -c penctl -s h -l help -d 'show how it is used'
complete -c penctl -l version -d 'show the version'
complete -c penctl -n 'not __penctl_address' -F
complete -c penctl -n __penctl_address -f
complete -c penctl -n __penctl_first -a top -d 'Show live what pen does.'
complete -c penctl -n __penctl_first -a no -d 'Turn a setting off.'
# BEGIN fish_commands: go test ./cmd/pen -run TestGenerated -update
complete -c penctl -n __penctl_first -a abort_on_error -d 'Leave a core file after a fatal error.'
complete -c penctl -n __penctl_first -a abuse -d 'Send clients that client_acl denies to this server and show it.'
complete -c penctl -n __penctl_first -a access_log -d 'Write one line about each connection that ended, as text or JSON, and show where.'
complete -c penctl -n '__penctl_is access_log' -F
complete -c penctl -n __penctl_first -a acl -d 'Add an entry to access list N (0 to 9): an IPv4 address with a mask, an IPv6 address with the length of a prefix, or a country.'
complete -c penctl -n '__penctl_is acl' -a 'permit deny country'
complete -c penctl -n __penctl_first -a agent -d 'Ask each server at this port for a line up, down, drain or NN% and show the port.'
complete -c penctl -n __penctl_first -a all_down -d 'Use the servers all the same when each of them is down, or not, and show which.'
complete -c penctl -n '__penctl_is all_down' -a 'open closed'
complete -c penctl -n __penctl_first -a ascii -d 'Dump what is forwarded as text.'
complete -c penctl -n __penctl_first -a blacklist -d 'Leave out a server that failed for so long and show the time.'
complete -c penctl -n __penctl_first -a block -d 'Obsolete and without effect.'
complete -c penctl -n __penctl_first -a certificates -d 'Show the certificates for clients: the file, the names, the kind, when they expire, and if an OCSP response is stapled.'
complete -c penctl -n '__penctl_is certificates' -a 'json'
complete -c penctl -n __penctl_first -a check -d 'Read commands from a file without carrying them out, and show what is wrong with them.'
complete -c penctl -n '__penctl_is check' -F
complete -c penctl -n __penctl_first -a client_acl -d 'Check clients against access list N and show N.'
complete -c penctl -n __penctl_first -a client_max -d 'Take N connections at a time of one address, or any number if 0, and show the number.'
complete -c penctl -n __penctl_first -a client_rate -d 'Take N connections of one address in so many seconds and show both.'
complete -c penctl -n __penctl_first -a clients_max -d 'Let the table of clients grow to N and show its size.'
complete -c penctl -n __penctl_first -a close -d 'Close connection N, or 0.'
complete -c penctl -n __penctl_first -a conn_max -d 'Let the number of simultaneous connections grow to N and show the limit.'
complete -c penctl -n __penctl_first -a connection -d 'Show the state of connection N, or 0.'
complete -c penctl -n '__penctl_is connection' -a 'json'
complete -c penctl -n __penctl_first -a control_acl -d 'Check those who connect to the control port against access list N and show N.'
complete -c penctl -n __penctl_first -a datagrams -d 'Show the flows and datagrams of a service: who sent how many, and why some were dropped.'
complete -c penctl -n '__penctl_is datagrams' -a 'json'
complete -c penctl -n __penctl_first -a debug -d 'Set the level of diagnostics, from 0 for none to 3 for dumps of what is forwarded, and show it.'
complete -c penctl -n __penctl_first -a delayed_forward -d 'Obsolete and without effect.'
complete -c penctl -n __penctl_first -a drain -d 'Wait so long for open connections before the program ends and show the time.'
complete -c penctl -n __penctl_first -a dummy -d 'Answer as a web server, without any server, for tests.'
complete -c penctl -n __penctl_first -a emergency -d 'Contact this server if all others are unavailable and show it.'
complete -c penctl -n __penctl_first -a epoll -d 'Use epoll to wait for events, on Linux.'
complete -c penctl -n __penctl_first -a exit -d 'End the program, if it was started with option -X.'
complete -c penctl -n __penctl_first -a geoip -d 'Take the countries of addresses from a MaxMind database and show its name.'
complete -c penctl -n '__penctl_is geoip' -F
complete -c penctl -n __penctl_first -a handshake_timeout -d 'Give a client so long for its PROXY header and its TLS handshake and show the time.'
complete -c penctl -n __penctl_first -a hash -d 'Choose the first server by a hash of the client\'s address.'
complete -c penctl -n __penctl_first -a help -d 'Show all commands, or one of them.'
complete -c penctl -n '__penctl_is help' -a 'abort_on_error abuse access_log acl agent all_down ascii blacklist block certificates check client_acl client_max client_rate clients_max close conn_max connection control_acl datagrams debug delayed_forward drain dummy emergency epoll exit geoip handshake_timeout hash help http http_head http_timeout idle_timeout idlers include keepalive kqueue least_connections limit_action listen listen_queue log maglev metrics mode multi_accept observe on_down peek pending_max pid poll prio probe proxy_protocol queue reactors recent roundrobin route select server servers service services slow_start socket source ssl_alpn ssl_ca_dir ssl_ca_file ssl_cert ssl_ciphers ssl_client_renegotiation_interval ssl_crl ssl_key ssl_ocsp ssl_ocsp_response ssl_option ssl_protocol ssl_session_tickets ssl_sni_path ssl_ticket_key ssl_verify status status_admin stubborn tcp_fastclose tcp_nodelay timeout tracking transparent two_choices udp udp_responses udp_timeout web_stats weight write'
complete -c penctl -n __penctl_first -a http -d 'Add X-Forwarded-Proto and X-Forwarded-For to HTTP requests; append to the fields that are there, or replace them; add Forwarded, too; refuse what is not HTTP/1; believe only what clients on access list N say of others.'
complete -c penctl -n '__penctl_is http' -a 'append replace forwarded only trusted'
complete -c penctl -n __penctl_first -a http_head -d 'Refuse HTTP requests whose head is longer, and show the length.'
complete -c penctl -n __penctl_first -a http_timeout -d 'Refuse HTTP requests whose head takes longer to come, or wait for ever if 0, and show the time.'
complete -c penctl -n __penctl_first -a idle_timeout -d 'Close connections on which nothing happened for so long, or never if 0, and show the time.'
complete -c penctl -n __penctl_first -a idlers -d 'Keep N idle connections to the servers open and show how many there are and should be.'
complete -c penctl -n __penctl_first -a include -d 'Carry out the commands of a file: all of them, or none if one is wrong.'
complete -c penctl -n '__penctl_is include' -F
complete -c penctl -n __penctl_first -a keepalive -d 'Set SO_KEEPALIVE on connections to servers.'
complete -c penctl -n __penctl_first -a kqueue -d 'Use kqueue to wait for events, on BSD and macOS.'
complete -c penctl -n __penctl_first -a least_connections -d 'Choose the server with the fewest connections, a heavier one sooner.'
complete -c penctl -n __penctl_first -a limit_action -d 'Close a connection over client_max or client_rate at once, or keep it waiting for so long, and show which.'
complete -c penctl -n '__penctl_is limit_action' -a 'reject tarpit'
complete -c penctl -n __penctl_first -a listen -d 'Take clients on another port or path and show it.'
complete -c penctl -n __penctl_first -a listen_queue -d 'Let N connections wait to be accepted, like option -q, and show N.'
complete -c penctl -n __penctl_first -a log -d 'Log requests to a file or to a penlogd and show where.'
complete -c penctl -n '__penctl_is log' -F
complete -c penctl -n __penctl_first -a maglev -d 'Choose the server by a consistent hash of the client\'s address, which few clients notice when a server comes or goes.'
complete -c penctl -n __penctl_first -a metrics -d 'Serve metrics for Prometheus and a status page on a port of this machine, another address or a path, and show it.'
complete -c penctl -n __penctl_first -a mode -d 'Show how servers are chosen.'
complete -c penctl -n '__penctl_is mode' -a 'json'
complete -c penctl -n __penctl_first -a multi_accept -d 'Accept at most N connections in one go, like option -m, and show N.'
complete -c penctl -n __penctl_first -a observe -d 'Take a probed server as down after N failed connects or answers in a row, or never if 0, and show the number.'
complete -c penctl -n __penctl_first -a on_down -d 'Keep or close the connections to a server that goes down, and show which.'
complete -c penctl -n '__penctl_is on_down' -a 'keep close'
complete -c penctl -n __penctl_first -a peek -d 'Choose the server after the first bytes of the client have come.'
complete -c penctl -n __penctl_first -a pending_max -d 'Let at most N connections to servers be under way at a time.'
complete -c penctl -n __penctl_first -a pid -d 'Show the process id.'
complete -c penctl -n __penctl_first -a poll -d 'Use poll to wait for events.'
complete -c penctl -n __penctl_first -a prio -d 'Choose the server with the smallest prio.'
complete -c penctl -n __penctl_first -a probe -d 'Probe the servers by tcp, tls, http PATH, smtp, dns NAME, udp HEX or exec COMMAND, with keys expect, host, interval, timeout, rise, fall and port, and show the probe.'
complete -c penctl -n __penctl_first -a proxy_protocol -d 'Take the PROXY header, with which each connection of a peer that access list N permits must begin, as the client\'s word, and show the setting.'
complete -c penctl -n '__penctl_is proxy_protocol' -a 'accept'
complete -c penctl -n __penctl_first -a queue -d 'Let up to N clients wait for a server while all are full, for at most so long, and show both.'
complete -c penctl -n '__penctl_is queue' -a 'timeout'
complete -c penctl -n __penctl_first -a reactors -d 'Forward with N threads, or one for each core if 0, and show N.'
complete -c penctl -n __penctl_first -a recent -d 'Show the clients that connected in the last N seconds, or 300.'
complete -c penctl -n '__penctl_is recent' -a 'json'
complete -c penctl -n __penctl_first -a roundrobin -d 'Choose the servers in turn, even for a client that was here before.'
complete -c penctl -n __penctl_first -a route -d 'Send TLS clients that ask for host NAME (or *.DOMAIN), or offer protocol NAME, or else all, to these servers, without taking part in their TLS, and show the routes.'
complete -c penctl -n '__penctl_is route' -a 'sni alpn default server'
complete -c penctl -n __penctl_first -a select -d 'Use poll to wait for events; the name is kept for old files.'
complete -c penctl -n __penctl_first -a server -d 'Change the given properties of server N, blacklist it for a number of seconds, take it out by drain or maint, bring it back by ready, tell it who the client is by a PROXY header v1, v2 or none, speak TLS to it by tls [verify CAFILE] [sni NAME] or not by tls off, or probe it by KIND, none or default.'
complete -c penctl -n '__penctl_is server' -a 'acl address port max hard blacklist weight prio proxy_protocol tls probe ready drain maint'
complete -c penctl -n __penctl_first -a servers -d 'Show all servers with their limits and counters.'
complete -c penctl -n '__penctl_is servers' -a 'json'
complete -c penctl -n __penctl_first -a service -d 'Let the lines that follow, or the command that follows in the same line, be about another service.'
complete -c penctl -n __penctl_first -a services -d 'Show all services with the addresses that they listen on.'
complete -c penctl -n '__penctl_is services' -a 'json'
complete -c penctl -n __penctl_first -a slow_start -d 'Let the share of a server that comes back grow for so long and show the time.'
complete -c penctl -n __penctl_first -a socket -d 'Show to which connection the file descriptor N, or 0, belongs.'
complete -c penctl -n __penctl_first -a source -d 'Connect to servers from this address.'
complete -c penctl -n __penctl_first -a ssl_alpn -d 'Agree with clients on one of these protocols, like h2 or http/1.1, and show them.'
complete -c penctl -n __penctl_first -a ssl_ca_dir -d 'Take the certificates of CAs from the files in a directory, like option -A, and show it.'
complete -c penctl -n '__penctl_is ssl_ca_dir' -F
complete -c penctl -n __penctl_first -a ssl_ca_file -d 'Take the certificates of CAs from a file, like option -G, and show it.'
complete -c penctl -n '__penctl_is ssl_ca_file' -F
complete -c penctl -n __penctl_first -a ssl_cert -d 'Speak TLS to clients with the certificates in these files, like option -E, of which ECDSA goes before RSA, and show them.'
complete -c penctl -n '__penctl_is ssl_cert' -F
complete -c penctl -n __penctl_first -a ssl_ciphers -d 'Choose the ciphers of TLS 1.2 by a list as OpenSSL takes it.'
complete -c penctl -n __penctl_first -a ssl_client_renegotiation_interval -d 'Obsolete and without effect, as no client may renegotiate.'
complete -c penctl -n __penctl_first -a ssl_crl -d 'Refuse clients whose certificates are on the revocation lists in a file and show it.'
complete -c penctl -n '__penctl_is ssl_crl' -F
complete -c penctl -n __penctl_first -a ssl_key -d 'Find the keys of certificates in these files, like option -K, and show them.'
complete -c penctl -n '__penctl_is ssl_key' -F
complete -c penctl -n __penctl_first -a ssl_ocsp -d 'Fetch OCSP responses from the CAs and staple them, or not, and show which.'
complete -c penctl -n '__penctl_is ssl_ocsp' -a 'off fetch'
complete -c penctl -n __penctl_first -a ssl_ocsp_response -d 'Staple the OCSP response in a file to the first certificate of ssl_cert.'
complete -c penctl -n '__penctl_is ssl_ocsp_response' -F
complete -c penctl -n __penctl_first -a ssl_option -d 'Turn off a version of TLS by no_tlsv1.2 or no_tlsv1.3; those before 1.2 are always off.'
complete -c penctl -n __penctl_first -a ssl_protocol -d 'Set the least version of TLS, like option -L, and show it.'
complete -c penctl -n '__penctl_is ssl_protocol' -a 'tls1.2 tls1.3'
complete -c penctl -n __penctl_first -a ssl_session_tickets -d 'Let clients resume their sessions, or have them do a full handshake each time, and show which.'
complete -c penctl -n '__penctl_is ssl_session_tickets' -a 'on off'
complete -c penctl -n __penctl_first -a ssl_sni_path -d 'Choose certificates by the name that the client asks for, from NAME.crt and NAME.key in a directory.'
complete -c penctl -n '__penctl_is ssl_sni_path' -F
complete -c penctl -n __penctl_first -a ssl_ticket_key -d 'Encrypt session tickets with the first of these files, know those of the others, and show them.'
complete -c penctl -n '__penctl_is ssl_ticket_key' -F
complete -c penctl -n __penctl_first -a ssl_verify -d 'Ask clients for no certificate, check one that they have, or require a valid one, like option -R, and show which.'
complete -c penctl -n '__penctl_is ssl_verify' -a 'none optional required'
complete -c penctl -n __penctl_first -a status -d 'Write the report in HTML to the file of web_stats and show it, or show the same as JSON.'
complete -c penctl -n '__penctl_is status' -a 'json'
complete -c penctl -n __penctl_first -a status_admin -d 'Let who knows the token in a file drain servers and close connections on the status page, and show its name.'
complete -c penctl -n '__penctl_is status_admin' -F
complete -c penctl -n __penctl_first -a stubborn -d 'Close a client\'s connection if the chosen server is unavailable, without trying another one.'
complete -c penctl -n __penctl_first -a tcp_fastclose -d 'Close both sides as soon as the server (up), the client (down) or either closes.'
complete -c penctl -n '__penctl_is tcp_fastclose' -a 'up down both off'
complete -c penctl -n __penctl_first -a tcp_nodelay -d 'Send small packets at once, which is always done.'
complete -c penctl -n __penctl_first -a timeout -d 'Give a server so long to accept a connection and show the time.'
complete -c penctl -n __penctl_first -a tracking -d 'Remember for so long which server a client used last, or for ever if 0, and show the time.'
complete -c penctl -n __penctl_first -a transparent -d 'Connect to servers from the client\'s address, which takes a privilege.'
complete -c penctl -n __penctl_first -a two_choices -d 'Choose two servers at random and of these the one with fewer connections.'
complete -c penctl -n __penctl_first -a udp -d 'Forward datagrams, like option -U.'
complete -c penctl -n __penctl_first -a udp_responses -d 'End a flow of datagrams when the server has sent N for each of the client, or not for that reason if 0, and show N.'
complete -c penctl -n __penctl_first -a udp_timeout -d 'End a flow of datagrams on which nothing happened for so long, or never if 0, and show the time.'
complete -c penctl -n __penctl_first -a web_stats -d 'Set the file for the report in HTML and show its name.'
complete -c penctl -n '__penctl_is web_stats' -F
complete -c penctl -n __penctl_first -a weight -d 'Choose the server with the fewest connections in proportion to its weight.'
complete -c penctl -n __penctl_first -a write -d 'Write the settings to a file, or to the one of option -F, from which the program can be started.'
complete -c penctl -n '__penctl_is write' -F
complete -c penctl -n '__penctl_is no' -a abort_on_error -d 'Exit with an error status after a fatal error.'
complete -c penctl -n '__penctl_is no' -a abuse -d 'Close the connections of clients that client_acl denies.'
complete -c penctl -n '__penctl_is no' -a access_log -d 'Write no line about connections.'
complete -c penctl -n '__penctl_is no' -a acl -d 'Delete all entries of access list N, which then permits everything.'
complete -c penctl -n '__penctl_is no' -a agent -d 'Ask no agents.'
complete -c penctl -n '__penctl_is no' -a ascii -d 'Dump what is forwarded in hexadecimal.'
complete -c penctl -n '__penctl_is no' -a block -d 'Obsolete and without effect.'
complete -c penctl -n '__penctl_is no' -a client_rate -d 'Take connections at any rate.'
complete -c penctl -n '__penctl_is no' -a delayed_forward -d 'Obsolete and without effect.'
complete -c penctl -n '__penctl_is no' -a dummy -d 'Forward to servers.'
complete -c penctl -n '__penctl_is no' -a emergency -d 'Have no server of last resort.'
complete -c penctl -n '__penctl_is no' -a geoip -d 'Know no countries.'
complete -c penctl -n '__penctl_is no' -a hash -d 'Use no hash.'
complete -c penctl -n '__penctl_is no' -a http -d 'Add nothing to HTTP requests and do not look at them, or take one of the words back.'
complete -c penctl -n '__penctl_is no' -a keepalive -d 'Do not set SO_KEEPALIVE.'
complete -c penctl -n '__penctl_is no' -a least_connections -d 'Do not look for the fewest connections.'
complete -c penctl -n '__penctl_is no' -a listen -d 'Take no clients.'
complete -c penctl -n '__penctl_is no' -a log -d 'Log no requests.'
complete -c penctl -n '__penctl_is no' -a maglev -d 'Use no consistent hash.'
complete -c penctl -n '__penctl_is no' -a metrics -d 'Serve no metrics.'
complete -c penctl -n '__penctl_is no' -a peek -d 'Choose the server at once.'
complete -c penctl -n '__penctl_is no' -a prio -d 'Do not look at the prio of servers.'
complete -c penctl -n '__penctl_is no' -a probe -d 'Do not probe the servers.'
complete -c penctl -n '__penctl_is no' -a proxy_protocol -d 'Expect no PROXY header.'
complete -c penctl -n '__penctl_is no' -a queue -d 'Let no client wait.'
complete -c penctl -n '__penctl_is no' -a roundrobin -d 'Send a client to the server that it used last.'
complete -c penctl -n '__penctl_is no' -a route -d 'Delete a route, or all.'
complete -c penctl -n '__penctl_is no' -a service -d 'Remove a service.'
complete -c penctl -n '__penctl_is no' -a source -d 'Connect to servers from the address that the system chooses.'
complete -c penctl -n '__penctl_is no' -a ssl_alpn -d 'Agree on no protocol.'
complete -c penctl -n '__penctl_is no' -a ssl_ca_dir -d 'Take them from no directory.'
complete -c penctl -n '__penctl_is no' -a ssl_ca_file -d 'Take them from no file.'
complete -c penctl -n '__penctl_is no' -a ssl_cert -d 'Use none but those of ssl_sni_path.'
complete -c penctl -n '__penctl_is no' -a ssl_ciphers -d 'Use all ciphers that are safe.'
complete -c penctl -n '__penctl_is no' -a ssl_crl -d 'Look at no revocation list.'
complete -c penctl -n '__penctl_is no' -a ssl_key -d 'Find them in the files of the certificates.'
complete -c penctl -n '__penctl_is no' -a ssl_ocsp_response -d 'Staple none from a file.'
complete -c penctl -n '__penctl_is no' -a ssl_option -d 'Turn it on, or both.'
complete -c penctl -n '__penctl_is no' -a ssl_sni_path -d 'Use the certificates of ssl_cert alone.'
complete -c penctl -n '__penctl_is no' -a ssl_ticket_key -d 'Encrypt them with random keys that change by themselves.'
complete -c penctl -n '__penctl_is no' -a status_admin -d 'Let the status page do nothing but show.'
complete -c penctl -n '__penctl_is no' -a stubborn -d 'Try the other servers if the chosen one is unavailable.'
complete -c penctl -n '__penctl_is no' -a tcp_nodelay -d 'Kept for old files; small packets are sent at once.'
complete -c penctl -n '__penctl_is no' -a transparent -d 'Connect to servers from an address of pen.'
complete -c penctl -n '__penctl_is no' -a two_choices -d 'Choose nothing at random.'
complete -c penctl -n '__penctl_is no' -a udp -d 'Forward streams.'
complete -c penctl -n '__penctl_is no' -a web_stats -d 'Write no report in HTML.'
complete -c penctl -n '__penctl_is no' -a weight -d 'Do not look at the weight of servers.'
# END fish_commands
