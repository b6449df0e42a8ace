#!/usr/bin/perl

# Nodes of a Redis Cluster that come and go, as those of containers do: what
# has left is forgotten, once nobody waits for it.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use IPC::Open2 qw(open2);
use RedisServer;
use Test::More;

needs_module();

my ($from, $to);
my $pid = do {
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    open2($from, $to, $ENV{PYTHON} // 'python3', 't/lib/cluster.py');
};
my ($seed, $other) = (readline $from) =~ /^ready (\d+) (\d+)$/
    or die 'the cluster did not start';

sub cluster {
    print $to "@_\n";
    chomp(my $line = readline $from);
    return $line;
}

my $redis = RedisServer->start;
my $gw = Gateway->start(
    http => zone() . "ai_proxy_provider p { type mock; }\n"
        . "ai_proxy_redis c 127.0.0.1:$seed cluster=on timeout=30s"
        . " pool=2 on_error=deny;\n",
    server => <<'EOC');
location = /status { ai_proxy_status; }
location / {
    ai_proxy_pass p;
    ai_proxy_request_limit key=$http_x_user rate=2/d redis=c;
}
EOC

my $path = '/v1/chat/completions';
sub chat {
    my ($user) = @_;
    return $gw->client->post($path, chat_body(),
        headers => { 'X-User' => $user })->{status};
}

# The slots are asked for once more from now on.
sub asked_again {
    my $before = cluster('asked');
    return $gw->until(sub { cluster('asked') > $before }, 20);
}

my $full = 'names more than 256 nodes';
sub times_full { return scalar(() = $gw->error_log =~ /\[warn\][^\n]*$full/g) }

ok($gw->until(sub { cluster('asked') }), 'the slots are asked for');

# As long as nodes are not there, the slots are asked for again and again; each
# time there are others.

for my $round (1 .. 5) {
    cluster('dead', 100);
    is(chat('zoe'), 503, 'sent to and fro') if $round == 1;
    ok(asked_again(), "round $round");
}
is(times_full(), 0, '500 names, one after the other, are no more than 256');

# A command waits for a node that leaves meanwhile.

cluster('all', $other);
ok(asked_again(), 'another node');
my $client = $gw->client->send('POST', $path, chat_body(),
    headers => { 'X-User' => 'ann' });
ok($gw->until(sub { cluster('held') }), 'a command waits for it');
cluster('all', $redis->{port});
ok(asked_again() && asked_again(), 'the node has no slots any longer');
cluster('release');
is($client->finish->{status}, 200, 'its answer is heard');
ok($gw->until(sub { cluster('open') == 0 }, 20), 'then it is left');
is(chat('ann'), 200, 'the next command finds the new one');
is(chat('ann'), 429, 'which counts on');
is(chat('bob'), 200, 'for others too');

# More than there may be at a time.

cluster('dead', 400);
ok($gw->until(sub { times_full() }, 20), 'too many are told');
ok(asked_again(), 'and asked for again');
is(times_full(), 1, 'once');
cluster('dead', 200);
cluster('all', $other);
ok($gw->until(sub { cluster('open') }, 20),
    'then there is room again');
is(times_full(), 1, 'for all');

kill 'KILL', $pid;
waitpid $pid, 0;
done($gw);
