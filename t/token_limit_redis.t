#!/usr/bin/perl

# Budgets of tokens that are counted in Redis: shared by gateways, charged as
# those in the zone, and what becomes of requests without Redis.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Budgets;
use RedisServer;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hello') },
    stream => { events => stream_events('one two three') },
    long => overrun(),
    gate => { events => stream_events('one two three'), gate => 1 });
my $redis = RedisServer->start;
my $gone = Gateway::free_port();

my $limit = 'ai_proxy_token_limit';
my $key = 'key=$http_x_user';
my $http = zone() . "ai_proxy_redis r 127.0.0.1:$redis->{port};\n"
    . "ai_proxy_redis patient 127.0.0.1:$redis->{port} timeout=20s;\n"
    . join('', map { "ai_proxy_redis gone_$_ 127.0.0.1:$gone on_error=$_;\n" }
        qw(allow deny zone))
    . join '', map { provider($_ => openai => $up->url($_)) }
        qw(plain stream long gate);
my $server = <<"EOF";
location /plain/ { ai_proxy_pass plain; $limit $key rate=100/m store=r; }
location /fixed/ { ai_proxy_pass plain; $limit $key rate=101/d store=r algorithm=fixed; }
location /stream/ { ai_proxy_pass stream; $limit $key rate=102/m store=r; }
location /gate/ { ai_proxy_pass gate; $limit $key rate=103/m store=r reserve=off; }
location /both/ {
    ai_proxy_pass plain;
    $limit $key rate=1000/h name=zone;
    $limit $key rate=60/m name=shared store=r;
}
location /left/ { ai_proxy_pass plain; $limit $key rate=107/m store=patient; }
location /log/ { ai_proxy_pass plain; $limit $key rate=1/d store=r mode=log; }
location /busy/ { ai_proxy_pass plain; $limit $key rate=3000/h store=r; }
location /even/ { ai_proxy_pass plain; $limit $key rate=3000/d store=r algorithm=fixed; }
location /long/ { ai_proxy_pass long; $limit $key rate=500/h store=r; }
EOF
$server .= "location /gone_$_/ { ai_proxy_pass plain; $limit $key rate=50/m "
    . "store=gone_$_; }\n" for qw(allow deny zone);
my @gw = map { Gateway->start(http => $http, server => $server,
    workers => 2) } 1, 2;

# Who leaves before Redis has said what it granted.
$redis->pause;
for (1 .. 3) {
    my $client = $gw[0]->client;
    $client->send(POST => '/left/v1/chat/completions',
        chat_body(max_tokens => 30), headers => { 'X-User' => 'gone' });
    select undef, undef, undef, 0.1;
    $client->close;
}
select undef, undef, undef, 0.1;
$redis->resume;
charged($gw[1], left => 'gone', 107, 0, 'what it had reserved is given back');

# A fixed window of a minute would end in one of many runs.
for my $place (['plain', 100, 'minute'], ['fixed', 101, 'day']) {
    my ($name, $budget, $window) = @$place;
    is(ask($gw[0], $name, 'ann', max_tokens => 40)->{status}, 200,
        "$name: passes");
    charged($gw[1], $name, 'ann', $budget, 15, "$name: another gateway knows");
    my $reply = ask($gw[1], $name, 'ann', max_tokens => 90);
    check_error($reply, 429, qr/$budget tokens per $window, 15 used/,
        "$name: and refuses");
    like(Client::header($reply, 'Retry-After'), $window eq 'day' ? qr/^\d{1,5}$/
        : qr/^(?:[1-5]?\d|6[01])$/, "$name: Retry-After");
    is(ask($gw[0], $name, 'bob', max_tokens => 80)->{status}, 200,
        "$name: another key");
    like(ask($gw[0], $name, 'eve', max_tokens => 1000)->{body},
        qr/the request is too large/, "$name: what can never pass");
}

check_stream(ask($gw[0], 'stream', 'ann', stream => \1), 'one two three',
    'a stream');
charged($gw[1], 'stream', 'ann', 102, 15, 'is charged its usage');

my $client = $gw[0]->client->send('POST', '/gate/v1/chat/completions',
    chat_body(stream => \1), headers => { 'X-User' => 'ann' });
$client->wait(sub { $_[0]{body} =~ /one/ }, 20);
$client->close;
$up->wait_outcome('gate', 'client_closed', 20);
my $used = 0;
$gw[0]->until(sub {
    $used = spent($gw[1], 'gate', 'ann', 103);
    $used && $used < 25 });
cmp_ok($used, '>=', 4, 'a stream whose client left is charged an estimate');

is(ask($gw[0], 'both', 'ann', max_tokens => 40)->{status}, 200, 'two stores');
is(ask($gw[0], 'both', 'ann', max_tokens => 50)->{status}, 429,
    'Redis refuses');
my $left;
$gw[0]->until(sub { $left = Client::header(
    ask($gw[0], 'both', 'ann', max_tokens => 995),
    'x-ratelimit-remaining-tokens'); $left == 985 });
is($left, 985, 'and the zone got back what it had granted');

is(ask($gw[0], 'log', 'ann')->{status}, 200, 'mode=log turns nobody away')
    for 1, 2;

# Many at once through two gateways.
check_crowd(\@gw, busy => 3000, 'sliding');
check_crowd(\@gw, even => 3000, 'fixed');
check_overrun(\@gw, $up, long => 500, 'long answers');

is(ask($gw[0], 'gone_allow', 'ann', max_tokens => 1000)->{status}, 200,
    'without Redis, on_error=allow');
check_error(ask($gw[0], 'gone_deny', 'ann'), 503, undef,
    'without Redis, on_error=deny');
is(ask($gw[0], 'gone_zone', 'ann', max_tokens => 20)->{status}, 200,
    'without Redis, on_error=zone');
is(ask($gw[0], 'gone_zone', 'ann', max_tokens => 40)->{status}, 429,
    'the zone counts');

$redis->stop;
is(ask($gw[0], 'plain', 'ann', max_tokens => 90)->{status}, 200,
    'Redis stopped: allowed');

$gw[0]->stop;
done($gw[1], $up);
