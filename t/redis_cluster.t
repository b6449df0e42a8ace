#!/usr/bin/perl

# A Redis Cluster of three: every key is counted by its node, slots that move
# are followed, a node that is away is missed by its own keys alone.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use RedisServer;
use Test::More;

needs_module();

# A bus port of its own: port + 10000 may be anybody's.
my @bus = map { Gateway::free_port() } 1 .. 3;
my @nodes = map { RedisServer->start(lines => ["cluster-port $bus[$_]",
    'cluster-enabled yes',
    'cluster-node-timeout 15000', 'cluster-require-full-coverage no',
    'cluster-allow-reads-when-down yes']) } 0 .. 2;
my @addresses = map { $nodes[$_]->address . "\@$bus[$_]" } 0 .. 2;
like($nodes[0]->say('--cluster', 'create', @addresses, '--cluster-yes'),
    qr/All 16384 slots covered/, 'a cluster of three');
ok(!grep({ !$_->takes_writes } @nodes), 'that takes writes');
my $limit = 'ai_proxy_request_limit';
my $gw = Gateway->start(
    http => zone() . "ai_proxy_provider p { type mock; }\n"
        . 'ai_proxy_redis c ' . $nodes[0]->address
        . " cluster=on timeout=10s on_error=deny;\n",
    server => <<"EOF");
location = /status { ai_proxy_status; }
location / {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=2/d redis=c;
}
EOF

sub chat {
    my ($user) = @_;
    return $gw->client->post('/v1/chat/completions', chat_body(),
        headers => { 'X-User' => $user });
}

sub statuses {
    my ($user, $times) = @_;
    return join ' ', map { chat($user)->{status} } 1 .. $times;
}

sub key { return "$limit:\$http_x_user:86400:$_[0]" }

# The node that has the key of a user.
sub node_of {
    my ($user) = @_;
    my $slot = $nodes[0]->say('cluster', 'keyslot', key($user));
    return ($slot <= 5460 ? 0 : $slot <= 10922 ? 1 : 2, $slot);
}

# Somebody new, whose key is on this node.
my $count = 0;

sub user_of {
    my ($node) = @_;
    my $user;
    do { $user = 'new' . $count++ } until (node_of($user))[0] == $node;
    return $user;
}

sub state { return decode($gw->client->get('/status')->{body})->{redis}[0] }

ok($gw->until(sub { state()->{connections} == 3 }, 20),
    'one address is enough to find all');
my %users;
for my $n (1 .. 30) {
    my ($node) = node_of("u$n");
    push @{ $users{$node} }, "u$n";
}
is(scalar keys %users, 3, 'users on all nodes');
my %got = map { statuses($_, 3) => 1 } map { @$_ } values %users;
is(join(' / ', sort keys %got), '200 200 429', 'all are counted');
is($nodes[1]->say('dbsize'), scalar @{ $users{1} }, 'each by its node');
is(state()->{errors_unavailable}, 0, 'without an error');

# A slot on its way (ASK), and then moved (MOVED).

my ($from, $slot) = node_of('fresh');
my $to = ($from + 1) % 3;
my @id = map { $_->say('cluster', 'myid') } @nodes;
$nodes[$to]->say('cluster', 'setslot', $slot, 'importing', $id[$from]);
$nodes[$from]->say('cluster', 'setslot', $slot, 'migrating', $id[$to]);
is(statuses('fresh', 1), '200', 'a key of a slot that moves');
like($nodes[$from]->say('get', key('fresh')), qr/^ASK/,
    'is not where it was');
$nodes[$_]->say('cluster', 'setslot', $slot, 'node', $id[$to])
    for $to, $from;
is(statuses('fresh', 2), '200 429', 'nor is it lost when the slot has moved');
is($nodes[$to]->say('get', key('fresh')), 3, 'it is counted at one place');

# Scripts are forgotten by one node.

$nodes[1]->say('script', 'flush');
is(statuses(user_of(1), 3), '200 200 429', 'a script that is gone');

# A node that is away.

$nodes[2]->stop;
ok($gw->until(sub { state()->{connections} == 2 }, 20), 'one node is away');
is(statuses($users{2}[0], 2), '503 503', 'its keys are');
is(statuses(user_of(0), 3), '200 200 429', 'those of others are not');
$nodes[2]->start;
ok($nodes[2]->takes_writes, 'it has found the others');
ok($gw->until(sub { state()->{connections} == 3 }, 20), 'it is back');
my $late = user_of(2);
ok($gw->until(sub { chat($late)->{status} != 503 }, 20),
    'and its keys are counted');

done($gw);
