#!/usr/bin/perl

# WebSockets of a worker that is to leave: the client is told by a close frame
# (RFC 6455, 7.4.1: 1001, going away) before nginx cuts the connection.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use IO::Select;
use IPC::Open2 qw(open2);
use Test::More;

needs_module();

my ($out, $in);
my $pid = do {
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    open2($out, $in, $ENV{PYTHON} // 'python3', 't/lib/websocket.py');
};
$SIG{PIPE} = 'IGNORE';
my $port = decode(scalar readline $out)->{port};

my %config = (main => "worker_shutdown_timeout 4s;\n",
    http => zone()
        . provider(openai => openai => "http://127.0.0.1:$port")
        . "log_format e '\$status \$ai_proxy_error';\n",
    access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . "location = /metrics { access_log off; ai_proxy_metrics; }\n"
        . "location / { ai_proxy_pass openai; }\n");
my $gw = Gateway->start(%config);

sub handshake {
    my $client = $gw->client;
    $client->write("GET /v1/realtime?model=m HTTP/1.1\r\nHost: x\r\n"
        . "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        . "Sec-WebSocket-Version: 13\r\n\r\n");
    return $client;
}

# What came until there is a match, or the end; and whether it ended.
sub await {
    my ($client, $match) = @_;
    my $until = Client::now() + 15;
    $client->{seen} //= '';
    while ($client->{seen} !~ $match && Client::now() < $until) {
        next unless IO::Select->new($client->{socket})->can_read(0.2);
        my $n = sysread $client->{socket}, $client->{seen}, 65536,
            length $client->{seen};
        $client->{ended} = 1, last
            if defined $n && $n == 0 or !defined $n && !$!{EAGAIN};
    }
    return $client->{seen};
}

my @clients = map { handshake() } 1 .. 3;
like(await($_, qr/hello$/), qr/hello$/, 'a session') for @clients;
# Of this one the provider's last frame is half there.
$clients[2]->write("\x81\x84\0\0\0\0half");
like(await($clients[2], qr/\x81\x7e/), qr/\x81\x7e/, 'half a frame');

my @old = $gw->workers;
my $begin = Client::now();
ok($gw->reload, 'a reload starts new workers');
my @seen = map { await($_, qr/(?!)/) } @clients;
cmp_ok(Client::now() - $begin, '<', 15, 'all end in time');
my $frame = qr/\x88\x20\x03\xe9the gateway is being restarted\z/;
like($seen[$_], $frame, 'a close frame is the last one') for 0, 1;
is(() = $seen[0] =~ /\x88/g, 1, 'there is one');
unlike($seen[2], qr/\x88/, 'none within a frame of the provider');
ok($_->{ended}, 'the connection is closed') for @clients;

ok($gw->until(sub {
    my %now = map { $_ => 1 } $gw->workers;
    !grep { $now{$_} } @old;
}, 10), 'the old worker leaves');
is_deeply([$gw->log_lines('access.log', 3)], [('101 shutdown') x 3],
    'the log says why');
my ($cut) = $gw->client->get('/metrics')->{body}
    =~ /^ai_proxy_shutdown_cut_streams_total (\d+)$/m;
is($cut, 3, 'and the metrics');
unlike($gw->error_log, qr/open socket|timed out/, 'nothing is left');

kill 'KILL', $pid;
waitpid $pid, 0;
done($gw);
