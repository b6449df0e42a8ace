#!/usr/bin/perl

# A Redis Cluster of three: every key is counted by its node, slots that move
# are followed, a node that is away is missed by its own keys alone.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Budgets;
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
my $tokens = 'ai_proxy_token_limit rate=100/d store=c';
my $by_user = "$tokens key=\$http_x_user name=user";
my %held = (events => stream_events('one two three'), gate => 0);
my $up = Upstream->start(plain => { json => chat_answer('hello') },
    held => \%held, late => \%held);
my $gw = Gateway->start(
    http => zone() . "ai_proxy_provider p { type mock; }\n"
        . join('', map { provider($_ => openai => $up->url($_)) }
            qw(plain held late))
        . 'ai_proxy_redis c ' . $nodes[0]->address
        . " cluster=on timeout=10s on_error=deny;\n",
    server => <<"EOF");
location = /status { ai_proxy_status; }
location / {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=2/d redis=c;
}
location /tokens/ { ai_proxy_pass plain; $by_user; }
location /held_tokens/ { ai_proxy_pass held; $by_user; }
location /late_tokens/ { ai_proxy_pass late; $by_user; }
location /two/ {
    ai_proxy_pass plain;
    $by_user;
    $tokens key=\$ai_proxy_request_model name=model;
}
location /model/ {
    ai_proxy_pass plain;
    $tokens key=\$ai_proxy_request_model name=model;
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

sub slot_of { return $nodes[0]->say('cluster', 'keyslot', $_[0]) }

# The node that has a key.
sub node_of {
    my ($key) = @_;
    my $slot = slot_of($key);
    return $slot <= 5460 ? 0 : $slot <= 10922 ? 1 : 2;
}

# Somebody new, whose key, by what it begins with, is on this node.
my $count = 0;

sub new_on {
    my ($node, $prefix) = @_;
    my $name;
    do { $name = 'new' . $count++ } until node_of("$prefix$name") == $node;
    return $name;
}

sub user_of { return new_on($_[0], key('')) }

sub state { return decode($gw->client->get('/status')->{body})->{redis}[0] }

ok($gw->until(sub { state()->{connections} == 3 }, 20),
    'one address is enough to find all');
my $worker = join ' ', $gw->workers;
my %users;
for my $n (1 .. 30) {
    push @{ $users{node_of(key("u$n"))} }, "u$n";
}
is(scalar keys %users, 3, 'users on all nodes');
my %got = map { statuses($_, 3) => 1 } map { @$_ } values %users;
is(join(' / ', sort keys %got), '200 200 429', 'all are counted');
is($nodes[1]->say('dbsize'), scalar @{ $users{1} }, 'each by its node');
is(state()->{errors_unavailable}, 0, 'without an error');

# Tokens, too, and several keys of a request by several nodes.

is(ask($gw, two => 'first', model => 'first')->{status}, 200,
    'a user and a model');
my %prefix = map { /^(ai_proxy_token_limit:(\w+):\w+:)first$/ ? ($2, $1) : () }
    map { split /\n/, $_->say('keys', 'ai_proxy_token_limit:*') } @nodes;
is(join(' ', sort keys %prefix), 'model user', 'have keys of their own');

for my $node (0 .. 2) {
    my $user = new_on($node, $prefix{user});
    is(left(ask($gw, tokens => $user, max_tokens => 40)), 85,
        "node $node: tokens are taken");
    charged($gw, tokens => $user, 100, 15, "node $node: and charged");
    check_error(ask($gw, tokens => $user, max_tokens => 90), 429,
        qr/100 tokens per day, 15 used/, "node $node: and refused");
    is($nodes[$node]->say('exists', "$prefix{user}$user"), 1, 'by that node');
}
my ($near, $model) = (new_on(0, $prefix{user}), new_on(1, $prefix{model}));
is(left(ask($gw, two => $near, model => $model, max_tokens => 60)), 85,
    'two nodes are asked');
charged($gw, tokens => $near, 100, 15, 'one is charged');
my $other = new_on(2, $prefix{user});
check_error(ask($gw, two => $other, model => $model, max_tokens => 80), 429,
    qr/100 tokens per day, 15 used/, 'and the other: it refuses');
charged($gw, tokens => $other, 100, 0, 'what a third granted is given back');

# A slot on its way (ASK), and then moved (MOVED).

my @id = map { $_->say('cluster', 'myid') } @nodes;

sub begin_move {
    my ($slot, $from, $to) = @_;
    $nodes[$to]->say('cluster', 'setslot', $slot, 'importing', $id[$from]);
    $nodes[$from]->say('cluster', 'setslot', $slot, 'migrating', $id[$to]);
}

sub end_move {
    my ($slot, $from, $to) = @_;
    $nodes[$_]->say('cluster', 'setslot', $slot, 'node', $id[$to])
        for $to, $from;
}

my $slot = slot_of(key('fresh'));
my $from = node_of(key('fresh'));
my $to = ($from + 1) % 3;
begin_move($slot, $from, $to);
is(statuses('fresh', 1), '200', 'a key of a slot that moves');
like($nodes[$from]->say('get', key('fresh')), qr/^ASK/,
    'is not where it was');
end_move($slot, $from, $to);
is(statuses('fresh', 2), '200 429', 'nor is it lost when the slot has moved');
is($nodes[$to]->say('get', key('fresh')), 3, 'it is counted at one place');

# The same while streams run: each is charged where its key is by then.

my $mover = new_on(0, $prefix{user});
my $key = "$prefix{user}$mover";
my @streams = map { hold($gw, $up, $_ => tokens => $mover) } qw(held late);
begin_move(slot_of($key), 0, 1);
is($nodes[0]->say('migrate', '127.0.0.1', $nodes[1]{port}, $key, 0, 5000),
    'OK', 'their key moves');
is(spent($gw, tokens => $mover, 100), 96, 'and is found');
let_go($up, held => 'while the slot moves', $streams[0]);
charged($gw, tokens => $mover, 100, 63, 'it is charged');
end_move(slot_of($key), 0, 1);
let_go($up, late => 'when the slot has moved', $streams[1]);
charged($gw, tokens => $mover, 100, 30, 'it is charged, too');
is($nodes[1]->say('exists', $key), 1, 'at one place');

# Scripts are forgotten by one node.

my $late = new_on(1, $prefix{user});
my $stream = hold($gw, $up, held => tokens => $late);
$nodes[1]->say('script', 'flush');
is(statuses(user_of(1), 3), '200 200 429', 'a script that is gone');
let_go($up, held => 'forgotten scripts', $stream);
charged($gw, tokens => $late, 100, 15, 'it is charged all the same');

# A node that is away.

my ($lost, $kept) = map { new_on($_, $prefix{user}) } 2, 0;
$stream = hold($gw, $up, held => tokens => $lost);
$nodes[2]->stop;
let_go($up, held => 'a node is gone', $stream);
ok($gw->until(sub { state()->{connections} == 2 }, 20), 'one node is away');
is(statuses($users{2}[0], 2), '503 503', 'its keys are');
is(statuses(user_of(0), 3), '200 200 429', 'those of others are not');
my $error = check_error(ask($gw, tokens => $lost), 503,
    qr/limits cannot be checked/, 'nor are tokens counted');
is($error->{code}, 'redis_unavailable', 'its code');
is(ask($gw, two => $kept, model => new_on(2, $prefix{model}))->{status}, 503,
    'one node of two is away');
charged($gw, tokens => $kept, 100, 0, 'what the other granted is given back');
$nodes[2]->start;
ok($nodes[2]->takes_writes, 'it has found the others');
ok($gw->until(sub { state()->{connections} == 3 }, 20), 'it is back');
my $back = user_of(2);
ok($gw->until(sub { chat($back)->{status} != 503 }, 20),
    'and its keys are counted');

# Nothing is said twice, whatever has been lost.

my $commands = state()->{commands};
for my $key ($lost, $kept) {
    is(left(ask($gw, tokens => $key, max_tokens => 40)), 85, 'tokens, too');
    $commands += 2; # taken, and settled a little later
    $gw->until(sub { state()->{commands} >= $commands });
}
is(state()->{commands}, $commands, 'in two commands each');
is(join(' ', $gw->workers), $worker, 'of the same worker as ever');

done($gw, $up);
