#!/usr/bin/perl

# Redis behind sentinels: the master is asked for, and the new one is found
# when the old one has failed.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Budgets;
use RedisServer;
use Test::More;

needs_module();

my $master = RedisServer->start;
my $replica = RedisServer->start(lines => [
    "replicaof 127.0.0.1 $master->{port}", 'repl-diskless-sync-delay 0']);
my $absent = RedisServer->new; # a sentinel that is not there
my $sentinel = RedisServer->sentinel(lines => [
    "sentinel monitor mymaster 127.0.0.1 $master->{port} 1",
    'sentinel down-after-milliseconds mymaster 500',
    'sentinel failover-timeout mymaster 3000',
    'sentinel parallel-syncs mymaster 1']);
my $limit = 'ai_proxy_request_limit';
my $tokens = 'ai_proxy_token_limit key=$http_x_user rate=100/d store=s name=t';
my %held = (events => stream_events('one two three'), gate => 0);
my $up = Upstream->start(plain => { json => chat_answer('hello') },
    held => \%held, late => \%held);

# A sentinel that was kept from running for two seconds trusts its own clock
# only after another thirty (its tilt mode).
my $patience = 90;
my $gw = Gateway->start(
    http => zone() . "ai_proxy_provider p { type mock; }\n"
        . join('', map { provider($_ => openai => $up->url($_),
            'timeout first_byte=300s;') } qw(plain held late))
        . 'ai_proxy_redis s ' . $absent->address . ' ' . $sentinel->address
        . " sentinel=mymaster timeout=1s on_error=deny;\n"
        . 'ai_proxy_redis other ' . $sentinel->address
        . " sentinel=nobody;\n",
    server => <<"EOF");
location = /status { ai_proxy_status; }
location / {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=3/d redis=s;
}
location /tokens/ { ai_proxy_pass plain; $tokens; }
location /held_tokens/ { ai_proxy_pass held; $tokens; }
location /late_tokens/ { ai_proxy_pass late; $tokens; }
EOF

sub statuses {
    my ($user, $times) = @_;
    return join ' ', map {
        $gw->client->post('/v1/chat/completions', chat_body(),
            headers => { 'X-User' => $user })->{status} } 1 .. $times;
}

sub state {
    my ($name) = @_;
    my ($found) = grep { $_->{name} eq $name }
        @{ decode($gw->client->get('/status')->{body})->{redis} };
    return $found;
}

ok($gw->until(sub { state('s')->{connected} }, 20),
    'the master is found, though a sentinel is away');
is(statuses('a', 2), '200 200', 'it counts');
is(left(ask($gw, tokens => 'a', max_tokens => 40)), 85, 'tokens, too');
charged($gw, tokens => 'a', 100, 15, 'as they were used');
my ($held, $late) = map { hold($gw, $up, $_ => tokens => $_) } qw(held late);
my $worker = join ' ', $gw->workers;
ok($gw->until(sub { $master->say('info', 'replication')
    =~ /slave0:[^\n]*state=online/ }, 20), 'the replica follows');
ok($gw->until(sub {
    $replica->say('get', "$limit:\$http_x_user:86400:a") eq 2
        && $replica->say('keys', 'ai_proxy_token_limit:*') =~ /:late\b/ }, 20),
    'to the last command');
ok($gw->until(sub { state('other')->{last_error} ne '' }, 20), 'and');
like(state('other')->{last_error}, qr/no sentinel knows its master/,
    'a name that no sentinel knows');
ok($gw->until(sub { $sentinel->say('sentinel', 'replicas', 'mymaster')
    =~ /$replica->{port}/ }, 30), 'the sentinel knows the replica');

# The master dies: its place is taken, and what it counted goes on.

$master->stop;
ok($gw->until(sub { !state('s')->{connected} }), 'the master is missed');
is(statuses('b', 2), '503 503', 'meanwhile the policy holds');
my $error = check_error(ask($gw, tokens => 'a'), 503,
    qr/limits cannot be checked/, 'for tokens, too');
is($error->{code}, 'redis_unavailable', 'its code');
let_go($up, held => 'without a master', $held);
ok($gw->until(sub { state('s')->{connected} }, $patience), 'the new one is found');
is($replica->say('role') =~ /^master/ ? 'master' : 'none', 'master',
    'the replica is master');
is(statuses('a', 2), '200 429', 'it counts on');
is(left(ask($gw, tokens => 'a', max_tokens => 40)), 70, 'tokens, too');
let_go($up, late => 'with another master', $late);
charged($gw, tokens => 'late', 100, 15, 'is charged there');
charged($gw, tokens => 'held', 100, 48,
    'what nobody could be told of stays taken');

# The old one comes back as a replica: nobody goes there.

$master->start;
ok($gw->until(sub { $master->say('role') =~ /^slave/ }, $patience),
    'the old master is a replica now')
    or diag(Gateway::slurp("$sentinel->{dir}/log"));
is(statuses('c', 4), '200 200 200 429', 'it is not asked');
is($replica->say('get', "$limit:\$http_x_user:86400:c"), 4, 'the other one is');
is(left(ask($gw, tokens => 'c', max_tokens => 40)), 85, 'tokens, too');
charged($gw, tokens => 'c', 100, 15, 'are charged');
is(join(' ', $gw->workers), $worker, 'by the same worker as ever');

done($gw, $up);
