#!/usr/bin/perl

# TLS to providers: certificate and name are verified, SNI is sent, sessions
# and connections are reused, nothing is sent before the name is right.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my @names = qw(good untrusted wrong named off stream big);
my $up = Upstream->start(tls => 1,
    (map { $_ => { json => chat_answer($_) } } @names),
    stream => { events => stream_events('one two three'), split => 1 },
    big => { json => chat_answer('x' x 500_000) });
my $ca = $up->ca;
my $gw = Gateway->start(
    allowed => [],
    http => zone()
        . provider(good => openai => $up->tls_url('good'),
            "ssl_trusted_certificate $ca;")
        . provider(untrusted => openai => $up->tls_url('untrusted'))
        . provider(wrong => openai => $up->wrong_url('wrong'),
            "ssl_trusted_certificate $ca;")
        . provider(named => openai => $up->wrong_url('named'),
            "ssl_trusted_certificate $ca;", 'ssl_name somebody.example;')
        . provider(off => openai => $up->wrong_url('off'), 'ssl_verify off;')
        . provider(stream => openai => $up->tls_url('stream'),
            "ssl_trusted_certificate $ca;")
        . provider(big => openai => $up->tls_url('big'),
            "ssl_trusted_certificate $ca;")
        . provider(plain_port => openai =>
            "https://localhost:$up->{port}/x-good",
            "ssl_trusted_certificate $ca;", 'timeout connect=500ms;')
        . "log_format e '\$ai_proxy_error';\n",
    access_log => '',
    server => 'access_log %%DIR%%/logs/access.log e;' . join '', map {
        "location /$_/ { ai_proxy_pass $_; }\n" } @names, 'plain_port');

sub chat {
    my ($name, %fields) = @_;
    return $gw->client->post("/$name/v1/chat/completions", chat_body(%fields));
}

is(Client::text(chat('good')), 'good', 'a good certificate');
my $seen = $up->last_request('good');
is($seen->{sni}, 'localhost', 'SNI is the host');
is(Upstream::header($seen, 'Host'), "localhost:$up->{tls_port}",
    'and so is Host');

my $count = 1;
for my $case (['untrusted', 502, 'upstream_tls', 'an unknown CA'],
    ['wrong', 502, 'upstream_tls', 'a wrong name'],
    ['plain_port', 504, 'timeout_connect', 'no handshake'])
{
    my $reply = chat($case->[0]);
    check_error($reply, $case->[1], undef, $case->[3]);
    is(scalar(my @r = $up->requests($case->[0])), 0,
        'nothing was sent to it');
    my @lines = $gw->log_lines('access.log', ++$count);
    is($lines[-1], $case->[2], 'in the log');
}

is(Client::text(chat('named')), 'named', 'ssl_name says whom to expect');
is($up->last_request('named')->{sni}, 'somebody.example', 'and is the SNI');
is(Client::text(chat('off')), 'off', 'ssl_verify off does not look');

check_stream(chat('stream', stream => JSON::PP::true), 'one two three',
    'a stream over TLS');
is(length Client::text(chat('big')), 500_000, 'a large answer over TLS');

# The wrong name is refused although a good connection to it is kept.

chat('named');
check_error(chat('wrong'), 502, undef,
    'a kept connection of another provider does not help');

done($gw, $up);
