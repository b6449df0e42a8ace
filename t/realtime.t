#!/usr/bin/perl

# The realtime API: a WebSocket through the gateway, with the gateway's key,
# frames untouched in both directions.

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
my $lines = '';
sub told {
    my $until = Client::now() + 10;
    while ($lines !~ /\n/) {
        return {} if Client::now() > $until;
        next unless IO::Select->new($out)->can_read(0.2);
        sysread $out, $lines, 65536, length $lines or return {};
    }
    $lines =~ s/^(.*)\n//;
    return decode($1);
}
my $port = told()->{port};
my $base = "http://127.0.0.1:$port";
my $nobody = 'http://127.0.0.1:' . Gateway::free_port();

my $gw = Gateway->start(http => zone()
    . provider(openai => openai => "$base/v1",
        'model_map rt-* gpt-realtime;')
    . provider(azure => azure => undef,
        "azure_service_url $base?api-version=2025-04-01-preview;")
    . provider(azure1 => azure => "$base/openai/v1")
    . provider(short => openai => $base, 'timeout idle=300ms;')
    . provider(refuse => openai => "$base/refuse")
    . provider(chunked => openai => "$base/chunked")
    . provider(plain => openai => "$base/plain")
    . provider(close => openai => "$base/close")
    . provider(nobody => openai => $nobody)
    . provider(claude => claude => $base)
    . "ai_proxy_provider mock { type mock; }\n"
    . provider(open => openai => $base, 'api_token none;')
        =~ s/\s*api_token none;//r
    . "ai_proxy_consumer ann { key sk-virtual; models gpt-*; }\n"
    . "log_format e '\$status \$upstream_status \$ai_proxy_api \$ai_proxy_model"
    . " \$ai_proxy_error \$ai_proxy_tries';\n"
    . "log_format used '\$status \$ai_proxy_input_tokens"
    . " \$ai_proxy_output_tokens \$ai_proxy_cached_tokens"
    . " \$ai_proxy_total_tokens \$ai_proxy_usage_source';\n",
    access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . "access_log %%DIR%%/logs/used.log used;\n"
        . "location /limited/ { ai_proxy_pass open;"
        . " ai_proxy_token_limit key=all rate=1000/h reserve=off; }\n"
        . "location /one/ { ai_proxy_pass open;"
        . " ai_proxy_concurrency \$http_x_user limit=1; }\n"
        . "location /who/ { ai_proxy_auth key; ai_proxy_pass open; }\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(openai azure azure1 short refuse chunked plain close nobody claude
           mock open));

sub handshake {
    my ($path, %headers) = @_;
    my $client = $gw->client;
    $client->write("GET $path HTTP/1.1\r\nHost: localhost\r\n"
        . "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        . "Sec-WebSocket-Version: 13\r\n"
        . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
        . "\r\n" . (delete $headers{early} // ''));
    return $client;
}

# Reads until there is a match, or nothing more comes.
sub await {
    my ($client, $match, $seconds) = @_;
    my $until = Client::now() + ($seconds // 10);
    $client->{seen} //= '';
    while ($client->{seen} !~ $match && Client::now() < $until) {
        next unless IO::Select->new($client->{socket})->can_read(0.2);
        my $n = sysread $client->{socket}, $client->{seen}, 65536,
            length $client->{seen};
        last if defined $n && $n == 0 or !defined $n && !$!{EAGAIN};
    }
    return $client->{seen};
}

sub masked {
    my ($payload, $opcode) = @_;
    my $length = length $payload;
    my $mask = "\x12\x34\x56\x78";
    return chr(0x80 | ($opcode // 1))
        . ($length < 126 ? chr(0x80 | $length)
            : $length < 65536 ? "\xfe" . pack('n', $length)
            : "\xff" . pack('Q>', $length))
        . $mask . ($payload ^ substr($mask x ($length / 4 + 1), 0, $length));
}

sub last_line { return ($gw->log_lines('access.log'))[-1] // '' }
sub field { my ($seen, $name) = @_; return Upstream::header($seen, $name) }

###############################################################################

my $client = handshake('/openai/v1/realtime?model=rt-1&intent=x&key=k-client',
    Authorization => 'Bearer sk-client', Cookie => 'a=b',
    'OpenAI-Beta' => 'realtime=v1', Origin => 'http://evil.example',
    'Sec-WebSocket-Protocol' =>
        'realtime, openai-insecure-api-key.sk-browser, openai-beta.realtime-v1');
my $seen = await($client, qr/hello/);
like($seen, qr{^HTTP/1\.1 101 }, 'protocols are switched') or $gw->show_logs;
like($seen, qr/^Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/m,
    'the handshake is the provider\'s');
like($seen, qr/^Upgrade: websocket\r$/mi, 'it has an Upgrade');
like($seen, qr/^Connection: upgrade\r$/mi, 'and a Connection');
like($seen, qr/^Sec-WebSocket-Protocol: realtime\r$/m, 'and a subprotocol');
unlike($seen, qr/Cookie/i, 'no cookie');
my $asked = told();
is($asked->{path}, '/v1/realtime?intent=x&model=gpt-realtime',
    'the model is mapped');
is(field($asked, 'Authorization'), 'Bearer sk-secret-openai', 'our key');
is(field($asked, 'Sec-WebSocket-Protocol'), 'realtime, openai-beta.realtime-v1',
    'the browser\'s key stays here');
is(field($asked, 'OpenAI-Beta'), 'realtime=v1', 'other fields go on');
is(field($asked, 'Cookie') // field($asked, 'Origin'), undef, 'not these');

$client->write(masked('ping pong'));
like(await($client, qr/ping pong/), qr/\x81\x09ping pong$/, 'a frame and back');
my $big = join '', map { chr(65 + $_ % 26) } 1 .. 200_000;
$client->write(masked($big, 2));
like(await($client, qr/\Q$big\E/), qr/\x82\x7f\0\0\0\0\0\x03\x0d\x40\Q$big\E$/,
    'a large one');
$client->write(masked('push'));
like(await($client, qr/two/), qr/\x81\x03one\x81\x03two$/, 'two at once');
$client->write($_) for split //, masked('slow');
like(await($client, qr/slow$/), qr/slow$/, 'byte by byte');
$client->write(masked('close'));
like(await($client, qr/\x88\x02\x03\xe8/), qr/\x88\x02\x03\xe8$/,
    'the provider closes');
ok(told()->{closed}, 'and is closed');
ok($gw->until(sub { last_line() =~
    m{^101 101 openai/v1/realtime gpt-realtime - openai:0:101:\d} }),
    'the books') or diag last_line();

# What comes with the handshake is not lost

$client = $gw->client;
$client->write("GET /azure/v1/realtime?model=my-deployment HTTP/1.1\r\n"
    . "Host: x\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
    . "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    . "Sec-WebSocket-Version: 13\r\n\r\n" . masked('early'));
like(await($client, qr/early/), qr/hello.*early/s, 'an early frame');
$asked = told();
is($asked->{path}, '/openai/realtime?api-version=2025-04-01-preview'
    . '&deployment=my-deployment', 'azure names a deployment');
is(field($asked, 'api-key'), 'sk-secret-azure', 'and has its own key');

# A client that leaves ends it

$client->close;
ok(told()->{closed}, 'the client leaves, the provider is closed');

$client = handshake('/azure1/v1/realtime?model=m');
await($client, qr/hello/);
is(told()->{path}, '/openai/v1/realtime?model=m', 'version 1 of azure');
$client->write(masked('drop'));
await($client, qr/never/, 3);
ok(told()->{closed}, 'the provider resets');
is(sysread($client->{socket}, my $rest, 1) || 0, 0, 'the client is closed');

$client = handshake('/short/v1/realtime?model=m');
await($client, qr/hello/);
told();
my $began = Client::now();
await($client, qr/never/, 10);
cmp_ok(Client::now() - $began, '<', 5, 'silence ends after the idle time');
ok(told()->{closed}, 'on both sides');

# The client's own key goes on where the gateway has none

$client = handshake('/open/v1/realtime?model=m',
    'Sec-WebSocket-Protocol' => 'realtime, openai-insecure-api-key.sk-browser');
await($client, qr/hello/);
is(field(told(), 'Sec-WebSocket-Protocol'),
    'realtime, openai-insecure-api-key.sk-browser', 'the key of a browser');
$client->close;
told();

# What a session used is read in passing.

# A consumer: the key is found where browsers can put it, and ends there.
for my $case (
    ['a header', '', Authorization => 'Bearer sk-virtual'],
    ['a query', '&api-key=sk-virtual'],
    ['a subprotocol', '', 'Sec-WebSocket-Protocol' =>
        'realtime, openai-insecure-api-key.sk-virtual'],
) {
    my ($name, $query, %headers) = @$case;
    my $client = handshake("/who/v1/realtime?model=gpt-rt$query", %headers);
    $seen = await($client, qr/hello/);
    like($seen, qr{^HTTP/1\.1 101 }, "$name tells who it is");
    my $asked = told();
    unlike(encode($asked), qr/sk-virtual/, 'and does not go on');
    $client->close;
    told();
}
push @{ $gw->{secrets} }, 'sk-virtual';
$client = handshake('/who/v1/realtime?model=gpt-rt');
like(await($client, qr/\}\}/), qr{^HTTP/1\.1 401 .*no_credential}s,
    'nobody gets no WebSocket');
$client = handshake('/who/v1/realtime?model=other',
    Authorization => 'Bearer sk-virtual');
like(await($client, qr/\}\}/), qr{^HTTP/1\.1 404 .*model_not_found}s,
    'nor who may not use the model');

$client = handshake('/open/v1/realtime?model=m');
await($client, qr/hello/);
for my $used ('"input_tokens":100,"output_tokens":20,"total_tokens":120,'
    . '"input_token_details":{"cached_tokens":64}',
    '"input_tokens":7,"output_tokens":1,"total_tokens":8')
{
    my $event = '{"type":"response.done","response":{"usage":{' . $used . '}}}';
    $client->{seen} = '';
    $client->write(masked('{"type":"response.audio.delta","delta":"AAAA"}')
        . masked($event));
    ok(index(await($client, qr/\}\}\}/), $event) > 0, 'the event passes');
}
told();
$client->close;
told();
sub used { return ($gw->log_lines('used.log'))[-1] // '' }
ok($gw->until(sub { used() eq '101 107 21 64 128 provider' }),
    'the books have the sum') or diag used();

# A budget knows of a session that goes on.

$client = handshake('/limited/v1/realtime?model=m');
await($client, qr/hello/);
$client->write(masked('{"type":"response.done","response":{"usage":{'
    . '"input_tokens":600,"output_tokens":40,"total_tokens":640}}}'));
await($client, qr/\}\}\}/);
my $refused;
ok($gw->until(sub {
    $refused = $gw->client->post('/limited/v1/chat/completions',
        chat_body(max_tokens => 900))->{body};
    return $refused =~ /1000 tokens per hour, 640 used/ }),
    'a response is debited while the session runs') or diag $refused;
told();
$client->close;
told();

# Sessions hold their places.

$client = handshake('/one/v1/realtime?model=m', 'X-User' => 'ann',
    'Sec-WebSocket-Extensions' => 'permessage-deflate');
await($client, qr/hello/);
is(field(told(), 'Sec-WebSocket-Extensions'), undef,
    'nobody may compress what is counted');
my $second = handshake('/one/v1/realtime?model=m', 'X-User' => 'ann');
like(await($second, qr/\}\}/), qr{^HTTP/1\.1 429 }, 'one session at once');
$second->close;
$client->close;
told();
ok($gw->until(sub {
    $client = handshake('/one/v1/realtime?model=m', 'X-User' => 'ann');
    return await($client, qr/hello|429/) =~ /hello/ }), 'then another one');
told();
$client->close;
told();

# Failures

for my $name ('refuse', 'chunked') {
    $client = handshake("/$name/v1/realtime?model=m");
    my $text = await($client, qr/\}\}/);
    like($text, qr{^HTTP/1\.1 401 .*"message":"no such key"}s,
        "$name: the provider's word");
    told(); $client->close; told();
    ok($gw->until(sub { last_line() =~
        m{^401 401 .* upstream_status $name:0:401:} }), "$name: the books")
        or diag last_line();
}
for my $case (['plain', 502, 'upstream_invalid'],
    ['close', 502, 'upstream_closed'], ['nobody', 502, 'upstream_connect'])
{
    my ($name, $status, $code) = @$case;
    $client = handshake("/$name/v1/realtime?model=m");
    like(await($client, qr/\}\}/), qr{^HTTP/1\.1 $status .*"error":}s, $name);
    $client->close;
    if ($name ne 'nobody') { told(); told() }
    ok($gw->until(sub { last_line() =~ m{^$status .* $code } }),
        "$name: $code") or diag last_line();
}
for my $name ('claude', 'mock') {
    $client = handshake("/$name/v1/realtime?model=m");
    like(await($client, qr/\}\}/), qr{^HTTP/1\.1 404 .*unsupported_api}s,
        "$name has no such API");
    $client->close;
}
check_error($gw->client->get('/openai/v1/realtime?model=m'), 426,
    qr/WebSocket/, 'a request that is no handshake');

kill 'KILL', $pid;
waitpid $pid, 0;
done($gw);
