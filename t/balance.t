#!/usr/bin/perl

# How a route shares its requests.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(map { $_ => { json => chat_answer($_) } } qw(a b c));
my $gw = Gateway->start(
    http => zone()
        . join('', map { provider($_ => openai => $up->url($_)) } qw(a b c))
        . <<'EOF',
ai_proxy_route turns { provider a; provider b; provider c; balance round_robin; }
ai_proxy_route uneven { provider a weight=3; provider b; balance round_robin; }
ai_proxy_route weighted { provider a weight=3; provider b; }
EOF
    server => join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(turns uneven weighted));

sub chat {
    my ($route) = @_;
    return Client::text($gw->client->post("/$route/v1/chat/completions",
        chat_body()));
}

is(join('', map { chat('turns') } 1 .. 9), 'abc' x 3, 'in turns');

my $said = join '', map { chat('uneven') } 1 .. 40;
is(($said =~ tr/a//), 30, 'in turns by weight: exact shares');
unlike($said, qr/aaaa|bb/, 'and spread out');

$said = join '', map { chat('weighted') } 1 .. 200;
my $share = $said =~ tr/a//;
# Six standard deviations: one run in 500 million.
cmp_ok(abs($share - 150), '<', 37, 'at random by weight');

done($gw, $up);
