#!/usr/bin/perl

# Clients of HTTP/1.0: no chunks, the end of the connection ends a stream.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    claude => { events => claude_events('one two three') },
    cut => { events => stream_events('one two three'), cut => 2 },
);
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => ($_ eq 'claude'
        ? 'claude' : 'openai') => $up->url($_)) } qw(plain stream claude cut)),
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(plain stream claude cut));

sub chat {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions", chat_body(%fields),
        version => '1.0');
}
my %stream = (stream => JSON::PP::true);

my $reply = chat('plain');
is($reply->{status}, 200, 'a plain request');
is(Client::text($reply), 'hello', 'has its answer');
is(Client::header($reply, 'Content-Length'), length $reply->{body},
    'and a length');

for my $name (qw(stream claude)) {
    $reply = chat($name, %stream);
    is(Client::header($reply, 'Transfer-Encoding'), undef, "$name: no chunks");
    ok($reply->{closed}, "$name: the connection ends");
    check_stream($reply, 'one two three', "$name: the stream is whole");
}

$reply = chat('cut', %stream);
is(scalar(grep { ref && $_->{error} } Client::events($reply)), 1,
    'a cut stream has its error event');
unlike($reply->{body}, qr/\[DONE\]/, 'and no end');

# The provider is spoken to in HTTP/1.1 all the same.
$up->clear;
chat('plain') for 1 .. 3;
is($up->connections('plain'), 1, 'provider connections are kept');

done($gw, $up);
