#!/usr/bin/perl

# An error that a provider reports under 200 is one of its own status: it is
# retried or not, and shown, like that.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    busy => { json => { base_resp => { status_code => 1002,
        status_msg => 'rate limit' } } },
    locked => { json => { base_resp => { status_code => 1004,
        status_msg => 'login fail' } } },
    good => { json => claude_answer('hello there') },
);
my $http = provider(busy => minimax => $up->url('busy'))
    . provider(locked => minimax => $up->url('locked'))
    . provider(good => claude => $up->url('good'))
    . "ai_proxy_route saved { provider busy; fallback good; }\n"
    . "ai_proxy_route lost { provider locked; fallback good; }\n";
my $gw = Gateway->start(http => zone() . $http,
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(busy saved lost));

my $reply = $gw->client->post('/busy/v1/chat/completions', chat_body());
is($reply->{status}, 429, 'the status that the code means');
like($reply->{body}, qr/rate limit/, 'the words of the provider');

$reply = $gw->client->post('/saved/v1/chat/completions', chat_body());
is($reply->{status}, 200, 'a rate limit falls back');
like($reply->{body}, qr/hello there/, 'the answer of the other');

$reply = $gw->client->post('/lost/v1/chat/completions', chat_body());
is($reply->{status}, 401, 'a refused key does not');
like($reply->{body}, qr/login fail/, 'it is shown');

done($gw, $up);
