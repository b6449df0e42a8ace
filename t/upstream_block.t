#!/usr/bin/perl

# Providers behind an upstream block of nginx, with its balancer.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    checked => { json => chat_answer('well') },
    slow => { json => chat_answer('late'), delay => 20 },
);
my ($address) = $up->url('plain') =~ m{^http://([^/]+)/};
sub behind { return $up->url($_[1]) =~ s{//[^/]+}{//$_[0]}r }
my $servers = "server $address; server $address; server $address;";
my $gone = '127.0.0.1:' . Gateway::free_port();

my $gw = Gateway->start(
    http => zone()
        . "upstream hashed { ip_hash; $servers }\n"
        . "upstream pool { $servers }\n"
        . "upstream half { server $gone; server $address backup; }\n"
        . provider(plain => openai => behind('pool', 'plain'))
        . provider(checked => openai => behind('hashed', 'checked'),
            'health_check model=probe interval=100ms;')
        . provider(slow => openai => behind('pool', 'slow'),
            'timeout first_byte=300ms;')
        . provider(half => openai => behind('half', 'plain')),
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(plain checked slow half));

sub chat { return $gw->client->post("/$_[0]/v1/chat/completions", chat_body()) }

is(Client::text(chat('plain')), 'hello', 'a block of servers');
is(Client::text(chat('half')), 'hello', 'the next server, if nothing was sent');

# A health check is no client's, and ip_hash looks at the client's address.
ok($gw->until(sub { ($up->requests('checked'))[2] }), 'checks go on');
is(Client::text(chat('checked')), 'well', 'and so does the worker');
unlike($gw->error_log, qr/exited on signal/, 'that was not ended');

# What one server may have begun to generate is not paid for twice.
is(chat('slow')->{status}, 504, 'a server that is too slow');
is(scalar(my @asked = $up->requests('slow')), 1, 'is asked alone');

done($gw, $up);
