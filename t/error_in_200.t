#!/usr/bin/perl

# An error that a provider reports under 200 is one of its own status: it is
# retried or not, and shown, like that.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

# A Responses stream that says that it begins, and then an error or a text.
sub begins {
    return { events => [map { "raw:event: $_->[0]\ndata: {\"type\":"
        . "\"$_->[0]\",$_->[1]}\n\n" } (map { [$_, '"response":{"id":"r1",'
        . '"status":"in_progress"}'] } qw(response.created
        response.in_progress)), @_] };
}
my $up = Upstream->start(
    breaks => begins(['error', '"code":"server_error","message":"broke"']),
    speaks => begins(['response.output_text.delta', '"delta":"hello"'],
        ['response.completed', '"response":{"status":"completed"}']),
    busy => { json => { base_resp => { status_code => 1002,
        status_msg => 'rate limit' } } },
    locked => { json => { base_resp => { status_code => 1004,
        status_msg => 'login fail' } } },
    good => { json => claude_answer('hello there') },
);
my $http = provider(breaks => openai => $up->url('breaks'))
    . provider(speaks => openai => $up->url('speaks'))
    . "ai_proxy_route turns { provider breaks; fallback speaks; }\n"
    . provider(busy => minimax => $up->url('busy'))
    . provider(locked => minimax => $up->url('locked'))
    . provider(good => claude => $up->url('good'))
    . "ai_proxy_route saved { provider busy; fallback good; }\n"
    . "ai_proxy_route lost { provider locked; fallback good; }\n";
my $gw = Gateway->start(http => zone() . $http,
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(busy saved lost breaks speaks turns));

my $reply = $gw->client->post('/busy/v1/chat/completions', chat_body());
is($reply->{status}, 429, 'the status that the code means');
like($reply->{body}, qr/rate limit/, 'the words of the provider');

$reply = $gw->client->post('/saved/v1/chat/completions', chat_body());
is($reply->{status}, 200, 'a rate limit falls back');
like($reply->{body}, qr/hello there/, 'the answer of the other');

$reply = $gw->client->post('/lost/v1/chat/completions', chat_body());
is($reply->{status}, 401, 'a refused key does not');
like($reply->{body}, qr/login fail/, 'it is shown');

# A response that only says that it begins is none yet

my $ask = '{"model":"gpt-5","input":"x","stream":true,"store":false}';
my $spoken = $gw->client->post('/speaks/v1/responses', $ask);
like($spoken->{body}, qr/response\.created.*"hello".*response\.completed/s,
    'a whole stream');
$reply = $gw->client->post('/turns/v1/responses', $ask);
is($reply->{body}, $spoken->{body}, 'an error in its place falls back');
$reply = $gw->client->post('/breaks/v1/responses', $ask);
cmp_ok($reply->{status}, '>=', 500, 'or is the answer');
like($reply->{body}, qr/broke/, 'in the words of the provider');

$reply = $gw->client->get('/speaks/v1/responses', headers => {
    Connection => 'Upgrade', Upgrade => 'websocket' });
is($reply->{status}, 426, 'Responses over WebSocket are not served');

done($gw, $up);
