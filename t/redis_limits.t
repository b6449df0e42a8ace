#!/usr/bin/perl

# Requests counted in Redis: the limit holds over workers, and what becomes of
# requests when Redis is away, slow, full, stopped, started again or has
# forgotten its scripts, by policy.  No request waits longer than the timeout.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use RedisServer;
use Test::More;

needs_module();

my $redis = RedisServer->start;
my $broken = RedisServer->start(lines => ['enable-debug-command local']);
# It is paused, stopped and filled.
my $absent = RedisServer->new;
my $socket = RedisServer->start(socket => 1);

my %on = map { $_ => $broken->address . " timeout=700ms on_error=$_" }
    qw(allow deny zone);
my $limit = 'ai_proxy_request_limit';
my $gw = Gateway->start(
    workers => 2,
    http => zone() . "ai_proxy_provider p { type mock; }\n"
        . 'ai_proxy_redis counters ' . $redis->address . ";\n"
        . 'ai_proxy_redis local ' . $socket->socket . " database=3;\n"
        . 'ai_proxy_redis absent ' . $absent->address . " on_error=deny;\n"
        . join('', map { "ai_proxy_redis $_ $on{$_};\n" } sort keys %on)
        . "log_format e '\$status \$ai_proxy_error';\n",
    access_log => '',
    server => 'access_log %%DIR%%/logs/access.log e;' . <<"EOF"
location = /status { ai_proxy_status; }
location /five/ {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=5/d redis=counters;
}
location /many/ {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=100/d redis=local;
}
location /two/ {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=3/h redis=counters status=403;
    $limit key=all rate=4/h redis=local;
}
location /absent/ {
    ai_proxy_pass p;
    $limit key=a rate=5/d redis=absent;
}
EOF
        . join '', map { <<"EOF" } sort keys %on);
location /$_/ {
    ai_proxy_pass p;
    $limit key=\$http_x_user rate=3/h redis=$_;
}
EOF

sub chat {
    my ($where, $user) = @_;
    return $gw->client->post("/$where/v1/chat/completions", chat_body(),
        defined $user ? (headers => { 'X-User' => $user }) : ());
}

sub statuses {
    my ($where, $user, $times) = @_;
    return join ' ', map { chat($where, $user)->{status} } 1 .. $times;
}

sub state {
    my ($name) = @_;
    my ($found) = grep { $_->{name} eq $name }
        @{ decode($gw->client->get('/status')->{body})->{redis} };
    return $found;
}

sub connected {
    my ($name, $wanted) = @_;
    return $gw->until(sub { state($name)->{connected} == $wanted }, 20);
}

# Both workers are connected before anything is counted.
sub ready {
    my ($name) = @_;
    return $gw->until(sub { state($name)->{connections} == 2 }, 20);
}

ok(ready($_), "$_: connected") for qw(counters local allow deny zone);

# The limit.

is(statuses('five', 'a', 7), '200 200 200 200 200 429 429', 'five a day');
my $reply = chat('five', 'a');
my $error = check_error($reply, 429, qr/too many requests/, 'the refusal');
is($error->{code}, 'request_limit', 'its code');
my $left = Client::header($reply, 'Retry-After');
ok($left > 80_000 && $left <= 86_400, 'Retry-After is what is left of the day');
is(statuses('five', 'b', 1), '200', 'somebody else has a budget of his own');
is(statuses('five', undef, 6), '200 200 200 200 200 200',
    'who has no key is not counted');
is($redis->say('get', "$limit:\$http_x_user:86400:a"), 6,
    'the counter stops one above the limit');
ok($redis->say('ttl', "$limit:\$http_x_user:86400:a") > 80_000,
    'and goes when its window is over');

is(statuses('two', 'x', 4), '200 200 200 403', 'the first of two limits');
is(statuses('two', 'y', 2), '200 429', 'the second one');

# 64 clients at once: exactly as many as the limit says.

my @clients = map { $gw->client } 1 .. 64;
my $passed = 0;
for my $round (1 .. 2) {
    $_->send(POST => '/many/v1/chat/completions', chat_body(),
        headers => { 'X-User' => 'crowd' }) for @clients;
    $passed += grep { $_->finish->{status} == 200 } @clients;
    @clients = map { $gw->client } 1 .. 64;
}
is($passed, 100, '100 of 128 requests pass');
is($socket->say('-n', 3, 'get', "$limit:\$http_x_user:86400:crowd"), 101,
    'counted in the database that is named');

# Scripts that the server has forgotten.

is($redis->say('script', 'flush'), 'OK', 'the scripts are gone');
is(statuses('five', 'c', 6), '200 200 200 200 200 429', 'nobody notices');
is(statuses('allow', 'c', 4), '200 200 200 429', 'another server');

# Nobody is there.

$error = check_error(chat('absent'), 503, qr/limits cannot be checked/,
    'no Redis');
is($error->{code}, 'redis_unavailable', 'its code');

# Stopped: whoever waits is answered by policy when the time is over, and all
# others at once, until it goes on.

sub broken_round {
    my ($what, $code) = @_;
    is(statuses('allow', "$what-a", 5), '200 200 200 200 200', "$what: allow");
    is(statuses('deny', "$what-a", 2), '503 503', "$what: deny");
    is(statuses('zone', "$what-a", 5), '200 200 200 429 429',
        "$what: counted by the zone");
    my $refused = (Client::json(chat('deny', 'z')) // {})->{error}{code};
    like($refused, $code, "$what: its code");
}

$broken->pause;
my @waiting = map { $gw->client } 1 .. 8;
$_->send(POST => '/deny/v1/chat/completions', chat_body(),
    headers => { 'X-User' => 'w' }) for @waiting;
my %got = map { ($_->finish->{status} => 1) } @waiting;
is(join(' ', keys %got), '503', 'all that waited are answered');
broken_round('paused', qr/^redis_(?:timeout|unavailable)$/);
$broken->resume;
ok(ready($_), "$_: connected again") for qw(allow deny zone);
is(statuses('deny', 'later', 4), '200 200 200 429', 'it counts again');

# A slow script holds up everybody.

my $sleep = fork // die;
if ($sleep == 0) {
    $broken->{owner} = -1;
    $broken->say(qw(debug sleep 2));
    POSIX::_exit(0);
}
select undef, undef, undef, 0.3;
is(statuses('deny', 'slow', 1), '503', 'slow: deny');
is(statuses('allow', 'slow', 1), '200', 'slow: allow');
waitpid $sleep, 0;
ok(ready($_), "$_: connected again") for qw(allow deny zone);

# Killed and started again.

$broken->stop;
ok(connected('deny', 0), 'the end of the server is seen');
broken_round('killed', qr/^redis_unavailable$/);
$broken->start;
ok(ready($_), "$_: connected again") for qw(allow deny zone);
is(statuses('deny', 'w', 4), '200 200 200 429', 'counting begins anew');

# Full: reading goes on, counting does not.

$broken->say(qw(config set maxmemory 1));
broken_round('full', qr/^redis_error$/);
$broken->say(qw(config set maxmemory 0));
is(statuses('deny', 'after', 4), '200 200 200 429', 'with room it counts');
my @refusals = $gw->error_log =~ /\[warn\][^\n]*refused \d+ commands/g;
ok(@refusals && @refusals <= 12, 'the log is not flooded');
like($gw->error_log, qr/"deny" refused \d+ commands, the last one with "OOM/,
    'and says why');

# Clients that leave while Redis is silent leave nothing behind.

$broken->pause;
for (1 .. 10) {
    my $client = $gw->client;
    $client->send(POST => '/deny/v1/chat/completions', chat_body(),
        headers => { 'X-User' => 'gone' });
    $client->close;
}
$broken->resume;
ok(ready($_), "$_: connected at the end") for qw(allow deny zone);
is(statuses('deny', 'end', 1), '200', 'all is well');

my $numbers = state('deny');
ok($numbers->{commands} > 20 && $numbers->{errors_timeout} > 0
    && $numbers->{errors_unavailable} > 0 && $numbers->{errors_refused} > 0,
    'the status counts commands and errors') or diag(encode($numbers));

$gw->stop;

my $p = "ai_proxy_provider p { type mock; }\nai_proxy_redis r 127.0.0.1;\n";
for my $case (
    ['rate=1/m redis=r' => qr/"key" is missing/],
    ['key=a redis=r' => qr/"rate" is missing/],
    ['key=a rate=1/m' => qr/"redis" is missing/],
    ['key=a rate=1 redis=r' => qr/invalid value "1" in "rate"/],
    ['key=a rate=0/m redis=r' => qr{invalid value "0/m" in "rate"}],
    ['key=a rate=1/w redis=r' => qr{invalid value "1/w" in "rate"}],
    ['key=a rate=1/m redis=x' => qr/invalid value "x" in "redis"/],
    ['key=a rate=1/m redis=r status=200' =>
        qr/invalid value "200" in "status"/],
    ['key=a rate=1/m redis=r burst=1' => qr/unknown parameter "burst=1"/],
    ['key=a rate=1/m redis=z' =>
        qr/"on_error=zone" of its "ai_proxy_redis" requires "ai_proxy_zone"/])
{
    my ($words, $cause) = @$case;
    my ($code, $said) = Gateway->new(
        http => $p . "ai_proxy_redis z 127.0.0.1 on_error=zone;\n",
        server => "location / {\n ai_proxy_pass p;\n $limit $words;\n}")
        ->check;
    ok($code != 0 && $said =~ /$limit: $cause/ && $said =~ /nginx\.conf:\d+/,
        $words) or diag($said);
}

done_testing();
