#!/usr/bin/perl

# Connections to providers are kept and reused, never shared between
# providers, and a kept connection that died is no failure.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    tls => 1,
    plain => { json => chat_answer('hi') },
    other => { json => chat_answer('hi') },
    stream => { events => stream_events('one two') },
    chunked => { json => chat_answer('hi'), framing => 'chunked' },
    broken => { status => 500, json => { error => { message => 'x' } } },
    limited => { status => 429, json => { error => { message => 'x' } } },
    close => { json => chat_answer('hi'), framing => 'close' },
    drop => { json => chat_answer('hi'), drop => 1 },
    vanish => { json => chat_answer('hi') },
    off => { json => chat_answer('hi') },
    secure => { json => chat_answer('hi') },
    secure2 => { json => chat_answer('hi') },
    claude => { events => claude_events('one two') },
);
my $ca = $up->ca;
my @plain = qw(plain other stream chunked broken limited close drop);
my $gw = Gateway->start(
    http => zone() . join('', map { provider($_ => openai => $up->url($_)) }
            @plain)
        . provider(claude => claude => $up->url('claude'))
        . provider(off => openai => $up->url('off'), 'keepalive 0;')
        . provider(secure => openai => $up->tls_url('secure'),
            "ssl_trusted_certificate $ca;")
        . provider(secure2 => openai => $up->tls_url('secure2'),
            "ssl_trusted_certificate $ca;"),
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        @plain, qw(claude off secure secure2));

sub chat {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions", chat_body(%fields));
}

my %stream = (stream => JSON::PP::true);
for my $case (['plain', 1], ['stream', 1, %stream], ['chunked', 1],
    ['claude', 1, %stream], ['broken', 1], ['limited', 1], ['secure', 1],
    ['close', 6], ['drop', 6], ['off', 6])
{
    my ($name, $wanted, %fields) = @$case;
    $up->clear;
    my @status = map { chat($name, %fields)->{status} } 1 .. 6;
    my %seen = map { $_ => 1 } @status;
    is(scalar keys %seen, 1, "$name: six equal answers");
    is($up->connections($name), $wanted,
        "$name: on $wanted connection" . ($wanted > 1 ? 's' : ''));
}

# Two providers at one address do not share.

$up->clear;
chat($_) for qw(plain other plain other);
my %by;
$by{ $_->{name} }{ $_->{connection} } = 1 for $up->requests;
is(scalar(grep { $by{other}{$_} } keys %{ $by{plain} }), 0,
    'two providers do not share a connection');
$up->clear;
chat($_) for qw(secure secure2);
%by = ();
$by{ $_->{name} }{ $_->{connection} } = 1 for $up->requests;
is(scalar(grep { $by{secure2}{$_} } keys %{ $by{secure} }), 0,
    'nor a TLS connection');

# A kept connection that the provider has closed meanwhile is replaced.

my $second = Upstream->start(vanish => { json => chat_answer('hi') });
my $port = $second->{port};
my $gw2 = Gateway->start(
    http => zone() . provider(vanish => openai => $second->url('vanish')),
    server => 'location / { ai_proxy_pass vanish; }');
is($gw2->client->post('/v1/chat/completions', chat_body())->{status}, 200,
    'a first request');
$second->behave(vanish => [{ fail => 'close' },
    { json => chat_answer('again') }]);
my $reply = $gw2->client->post('/v1/chat/completions', chat_body());
ok($reply->{status} == 200 || $reply->{status} == 502,
    'a kept connection that dies under a request');
$reply = $gw2->client->post('/v1/chat/completions', chat_body());
is(Client::text($reply), 'again', 'does not harm the next one');

done($gw, $gw2, $up, $second);
