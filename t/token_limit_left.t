#!/usr/bin/perl

# Clients that leave: what was taken for them from budgets in Redis is given
# back, whenever its reply comes, and when the queue to Redis is full.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Budgets;
use RedisServer;
use Test::More;

needs_module();

my $up = Upstream->start(plain => { json => chat_answer('hello') },
    mute => { fail => 'stall' });
my $redis = RedisServer->start;
my $limit = 'ai_proxy_token_limit key=$http_x_user rate=1000/d';
my $gw = Gateway->start(
    http => zone()
        . 'ai_proxy_redis r ' . $redis->address . " timeout=20s;\n"
        . 'ai_proxy_redis narrow ' . $redis->address . " queue=4 pool=1;\n"
        . join('', map { provider($_ => openai => $up->url($_)) }
            qw(plain mute)),
    server => "location = /status { ai_proxy_status; }\n"
        . "location /plain/ { ai_proxy_pass plain; $limit store=r; }\n"
        . "location /mute/ { ai_proxy_pass mute;"
        . " $limit store=narrow name=narrow; }\n"
        . "location /told/ { ai_proxy_pass plain;"
        . " $limit store=narrow name=narrow; }\n");
my ($worker) = $gw->workers;
is(ask($gw, plain => 'first')->{status}, 200, 'Redis is there');

# A worker that is busy finds the reply and the end of the client at once.
for my $first (qw(reply client)) {
    $redis->pause;
    my $client = send_ask($gw, plain => $first, max_tokens => 300);
    select undef, undef, undef, 0.3;
    kill STOP => $worker;
    my @steps = (sub { $redis->resume }, sub { $client->close });
    for my $step ($first eq 'reply' ? @steps : reverse @steps) {
        select undef, undef, undef, 0.3;
        $step->();
    }
    select undef, undef, undef, 0.3;
    kill CONT => $worker;
    charged($gw, plain => $first, 1000, 0,
        "the $first comes first: all is given back");
}

# More budgets at once than Redis is told of at once.
my $all = 40;
my @clients;
for my $i (1 .. $all) {
    push @clients, send_ask($gw, mute => "user$i", max_tokens => 300);
    $gw->until(sub { $up->requests('mute') == $i });
}
is(scalar(my @asked = $up->requests('mute')), $all, 'all are let in');
kill STOP => $worker;
$_->close for @clients;
kill CONT => $worker;
my @left;
$gw->until(sub {
    @left = grep { spent($gw, told => "user$_", 1000) > 100 } 1 .. $all;
    !@left;
});
is("@left", '', 'what was taken for each is given back');

done($gw, $up);
