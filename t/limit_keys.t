#!/usr/bin/perl

# 100,000 keys in a zone that has no room for them: memory is bounded, the
# oldest are forgotten, those of requests that still run are not.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $keys = 100_000;
my $each = 10; # keys of a request
my $up = Upstream->start(
    gate => { events => stream_events('one two three'), gate => 1 },
    plain => { json => chat_answer('hello') });
my $limit = 'ai_proxy_token_limit';
my $gw = Gateway->start(workers => 2, http => "ai_proxy_zone ai 8m;\n"
        . "keepalive_requests 1000000;\n" . provider(mock => 'mock')
        . provider(gate => openai => $up->url('gate'),
            'timeout idle=600s;')
        . provider(plain => openai => $up->url('plain')),
    access_log => '',
    server => <<"EOF" . join('', map {
location /many/ {
    ai_proxy_pass mock;
EOF
        # Short windows take a quarter of the memory of sliding ones.
        my $kind = $_ % 2 ? 'algorithm=fixed' : 'algorithm=sliding';
        "    $limit key=$_-\$http_x_user rate=1M/h name=many $kind;\n"
    } 1 .. $each) . <<"EOF");
}
location /held/ { ai_proxy_pass gate;
    $limit key=\$http_x_user rate=1000/h name=held; }
location /held/plain/ { ai_proxy_pass plain;
    $limit key=\$http_x_user rate=1000/h name=held; }
location /new/ { ai_proxy_pass plain;
    $limit key=9-\$http_x_user rate=1M/h name=many algorithm=fixed; }
location /status { ai_proxy_status; }
location /metrics { ai_proxy_metrics; }
EOF

sub status { return Client::json($gw->client->get('/status')) }

# Requests one after the other on a connection that does not wait for answers.
sub flood {
    my ($from, $to) = @_;
    my $body = chat_body(max_tokens => 1);
    my $length = length $body;
    my $client = $gw->client;
    $client->connect;
    my ($sent, $seen, $read, $out) = ($from, 0, '', '');
    my %status;
    my $until = Client::now() + 120;
    my $socket = $client->{socket};
    while ($seen < $to - $from && Client::now() < $until) {
        while ($sent < $to && $sent - $from - $seen < 64) {
            $out .= "POST /many/v1/chat/completions HTTP/1.1\r\nHost: a\r\n"
                . "X-User: user-$sent\r\nContent-Type: application/json\r\n"
                . "Content-Length: $length\r\n\r\n$body";
            $sent++;
        }
        my $select = IO::Select->new($socket);
        if (length $out && $select->can_write(0)) {
            my $n = syswrite $socket, $out;
            substr($out, 0, $n) = '' if $n;
        }
        next unless $select->can_read(length $out ? 0 : 1);
        sysread($socket, $read, 65536, length $read) or last;
        while ((my $end = index $read, "\r\n\r\n") >= 0) {
            my $head = substr $read, 0, $end + 2;
            my ($size) = $head =~ /^Content-Length: (\d+)\r$/m;
            last if length $read < $end + 4 + $size;
            $status{substr $head, 9, 3}++;
            $seen++;
            substr($read, 0, $end + 4 + $size) = '';
        }
    }
    $client->close;
    return %status;
}

sub left {
    my ($place, $user) = @_;
    my $reply = $gw->client->post("/$place/v1/chat/completions",
        chat_body(max_tokens => 10), headers => { 'X-User' => $user });
    return scalar Client::header($reply, 'x-ratelimit-remaining-tokens');
}

# One stream runs all the while: 300 tokens are taken for it.
my $held = $gw->client->send('POST', '/held/v1/chat/completions',
    chat_body(stream => \1, max_tokens => 300),
    headers => { 'X-User' => 'held' });
$held->wait(sub { $_[0]{body} =~ /one/ }, 10);
is(status()->{limit_keys}, 1, 'the key of a stream that runs');

my %status = flood(0, $keys / $each);
is_deeply(\%status, { 200 => $keys / $each }, "$keys keys are served");

my $now = status();
is($now->{limit_keys} + $now->{limit_evicted_keys_total}, $keys + 1,
    'each was counted');
cmp_ok($now->{limit_evicted_keys_total}, '>', $keys / 2, 'most are forgotten');
cmp_ok($now->{limit_keys}, '>', 10_000, 'the newest are not');
cmp_ok($now->{zone_free_bytes}, '<', 1 << 20, 'the zone is full');
my $newest = $keys / $each - 1;
cmp_ok(left(new => "user-$newest"), '<', 1_000_000 - 15,
    'the newest is remembered');
cmp_ok(left('held/plain', 'held'), '<', 700,
    'what was taken for the stream is, too');

# And once more: nothing is lost on the way.
%status = flood($keys / $each, $keys / $each + 1000);
is_deeply(\%status, { 200 => 1000 }, 'more keys are served');
my $later = status();
is($later->{limit_keys} + $later->{limit_evicted_keys_total},
    $keys + 1 + 1000 * $each, 'and counted');
cmp_ok($later->{limit_keys}, '<=', $now->{limit_keys} + 200, 'in no more memory');

like($gw->client->get('/metrics')->{body},
    qr/^ai_proxy_limit_requests_total\{limit="many",result="passed"\} \d{6}$/m,
    'the requests of the limits are counted');

$up->open_gate('gate');
$held->finish;
like($held->{reply}{body}, qr/\[DONE\]/, 'the stream ends');
my @lines = grep { /\[(?:warn|error|crit|alert|emerg)\]/ }
    split /\n/, $gw->error_log;
cmp_ok(scalar @lines, '<=', 2, 'the log is not full of it')
    or diag(join "\n", @lines[0 .. 5]);

done($gw, $up);
