#!/usr/bin/perl

# Who is limited: callers of the same network, as geo knows it, and of the same
# cookie share a budget of tokens or of requests; others have their own.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use RedisServer;
use Test::More;

needs_module();

my $up = Upstream->start(plain => { json => chat_answer('hello') });
my $redis = RedisServer->start;

# Each has room for one request: of tokens less than 30, of which 15 are used.
my %lines = (
    tokens => 'ai_proxy_token_limit rate=40/h',
    shared => 'ai_proxy_token_limit rate=40/h store=r',
    requests => 'ai_proxy_request_limit rate=1/h redis=r',
);
my %key = (network => '$network', cookie => '$cookie_team');
my $gw = Gateway->start(
    http => zone() . "ai_proxy_redis r 127.0.0.1:$redis->{port};\n"
        . provider(plain => openai => $up->url('plain')) . <<'EOF',
geo $network {
    default        guests;
    10.0.0.0/8     "";
    192.0.2.0/24   branch;
    2001:db8::/32  branch;
}
EOF
    server => "set_real_ip_from 127.0.0.1;\nreal_ip_header X-Real-IP;\n"
        . "location = /status { ai_proxy_status; }\n"
        . join '', map { my $by = $_; map { "location /$_/$by/ { "
            . "ai_proxy_pass plain; $lines{$_} key=$key{$by}; }\n" }
            sort keys %lines } sort keys %key);

$gw->until(sub { decode($gw->client->get('/status')->{body})
    ->{redis}[0]{connected} });

sub statuses {
    my ($place, $header, @values) = @_;
    return join ' ', map { $gw->client->post("/$place/v1/chat/completions",
        chat_body(max_tokens => 20),
        headers => { defined $_ ? ($header => $_) : () })->{status} } @values;
}

for my $limit (sort keys %lines) {
    for my $case (
        ['a network' => 'network', '200 429 429',
            qw(192.0.2.1 192.0.2.99 2001:db8::7)],
        ['another one' => 'network', '200 429', qw(198.51.100.1 203.0.113.5)],
        ['one that is free' => 'network', '200 200 200',
            qw(10.1.1.1 10.1.1.1 10.2.2.2)],
        ['a cookie' => 'cookie', '200 429', 'team=red', 'a=b; team=red'],
        ['another one' => 'cookie', '200 429', 'a=b; team=blue; c=d',
            'team=blue'],
        ['none' => 'cookie', '200 200 200', undef, undef, 'a=b; teams=red'],
        ['an empty one' => 'cookie', '200 200', 'team=', 'team='])
    {
        my ($name, $by, $expected, @values) = @$case;
        my $header = $by eq 'cookie' ? 'Cookie' : 'X-Real-IP';
        is(statuses("$limit/$by", $header, @values), $expected,
            "$limit by $by: $name");
    }
}

done($gw, $up);
