#!/usr/bin/perl

# A plain chat through a provider that speaks OpenAI: what the client sent
# goes on byte for byte but for the model, what the provider said comes back
# byte for byte.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

# Spacing, number spelling, member order and unknown members are the
# provider's own and must survive.
my $answer = qq({ "id":"c-1","object":"chat.completion", "created":1.7e9,\n)
    . qq( "model":"vendor-model","x_extra":{"b":1,"a":[ 1,2 ]},\n)
    . qq( "choices":[{"index":0,"message":{"role":"assistant",)
    . qq("content":"h\\u00e9llo \\ud83d\\ude00"},"finish_reason":"stop"}],\n)
    . qq( "usage":{"prompt_tokens":11,"completion_tokens":4,)
    . qq("total_tokens":15}}\n);

my $up = Upstream->start(
    plain => { body => $answer, headers => [
        ['Content-Type', 'application/json'], ['X-Request-Id', 'req-1'],
        ['x-ratelimit-remaining-requests', '41'], ['Set-Cookie', 'a=b'],
        ['Server', 'vendor'], ['openai-version', '2020-10-01']] },
    chunked => { body => $answer, framing => 'chunked', split => 1,
        headers => [['Content-Type', 'application/json']] },
    close => { body => $answer, framing => 'close',
        headers => [['Content-Type', 'application/json']] },
);

my $gw = Gateway->start(
    http => zone()
        . provider(mapped => openai => $up->url('plain'),
            'model_map gpt-4o vendor-large;')
        . provider(plain => openai => $up->url('plain'))
        . provider(chunked => openai => $up->url('chunked'))
        . provider(close => openai => $up->url('close')),
    server => <<'EOF');
location /mapped/ { ai_proxy_pass mapped; }
location /plain/ { ai_proxy_pass plain; }
location /chunked/ { ai_proxy_pass chunked; }
location /close/ { ai_proxy_pass close; }
EOF

my $body = qq({ "temperature":1.0e0, "model" : "gpt-4o",\n)
    . qq("big":18446744073709551615,"x_unknown":{"b":1,"a":[ 1 ,2 ]},)
    . qq("messages":[{"role":"user","content":"private-prompt \\u00e9"}] });

###############################################################################

my $reply = $gw->client->post('/mapped/v1/chat/completions', $body,
    headers => { Authorization => 'Bearer client-key',
        'Accept-Encoding' => 'gzip', Cookie => 'c=1',
        'X-Custom' => 'kept?', Connection => 'close' });

is($reply->{status}, 200, 'the answer has the status');
is($reply->{body}, $answer, 'and the bytes of the provider');
is(Client::header($reply, 'Content-Length'), length $answer,
    'with its length');
like(Client::header($reply, 'Content-Type'), qr{^application/json},
    'and its type');
is(Client::header($reply, 'x-request-id'), 'req-1', 'x-request-id goes on');
is(Client::header($reply, 'x-ratelimit-remaining-requests'), '41',
    'rate-limit fields go on');
is(Client::header($reply, 'Set-Cookie'), undef, 'cookies do not');
unlike(Client::header($reply, 'Server') // '', qr/vendor/,
    "nor the provider's server name");

my $seen = $up->last_request('plain');
(my $wanted = $body) =~ s/"gpt-4o"/"vendor-large"/;
is($seen->{method}, 'POST', 'the provider got a POST');
is($seen->{path}, '/v1/chat/completions', 'for the path of the type');
is($seen->{body}, $wanted, 'with only the model changed');
is(Upstream::header($seen, 'Content-Length'), length $wanted,
    'and the length of that');
is(Upstream::header($seen, 'Authorization'), 'Bearer sk-secret-mapped',
    'with the key of the provider');
is(Upstream::header($seen, 'Host'), "127.0.0.1:$up->{port}",
    'the provider\'s Host');
is(Upstream::header($seen, 'Accept-Encoding') // 'identity', 'identity',
    'no compression asked for');
is(Upstream::header($seen, 'Cookie'), undef, 'no cookie of the client');
like(Upstream::header($seen, 'Content-Type'), qr{^application/json},
    'and the type of the body');
is(Upstream::header($seen, 'Transfer-Encoding'), undef, 'not chunked');

# Without a map nothing at all is changed.

$reply = $gw->client->post('/plain/v1/chat/completions', $body);
is($reply->{body}, $answer, 'no map: the answer');
is($up->last_request('plain')->{body}, $body, 'no map: the request');

# Any framing of the provider gives the same answer.

for my $framing (qw(chunked close)) {
    $reply = $gw->client->post("/$framing/v1/chat/completions", $body);
    is($reply->{status}, 200, "$framing: status");
    is($reply->{body}, $answer, "$framing: body");
    ok($reply->{complete}, "$framing: complete");
}

# A path prefix is free, a query does not hinder.

$reply = $gw->client->post('/plain/any/thing/v1/chat/completions?a=b', $body);
is($reply->{status}, 200, 'a prefix before /v1');
is($up->last_request('plain')->{path} =~ s/\?.*//r, '/v1/chat/completions',
    'does not go upstream');

# Keepalive on the client's side, several requests on one connection.

my $client = $gw->client;
for my $turn (1 .. 3) {
    $reply = $client->post('/plain/v1/chat/completions', $body);
    is($reply->{body}, $answer, "request $turn of a connection");
}

# The request body may come in pieces and chunked.

$client = $gw->client;
$client->send('POST', '/plain/v1/chat/completions', undef, headers => {
    'Transfer-Encoding' => 'chunked', 'Content-Type' => 'application/json' });
for my $at (0 .. length($body) / 40) {
    my $piece = substr $body, $at * 40, 40;
    $client->write(sprintf "%x\r\n%s\r\n", length $piece, $piece)
        if length $piece;
}
$client->write("0\r\n\r\n");
$reply = $client->finish;
is($reply->{status}, 200, 'a chunked request');
is($up->last_request('plain')->{body}, $body, 'arrives whole');

done($gw, $up);
