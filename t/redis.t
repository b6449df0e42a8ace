#!/usr/bin/perl

# Connections to Redis: made at the start, by password, TLS and UNIX socket,
# missed once in the log, made again; shown in ai_proxy_status and the metrics.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use NameServer;
use RedisServer;
use Test::More;

needs_module();

my $certificates = Upstream::certificates();
my $plain = RedisServer->start(socket => 1);
my $locked = RedisServer->start(lines => ['requirepass sk-secret-redis',
    'user limiter on >sk-secret-limiter ~* +@all',
    'user shy on >sk-secret-shy ~* +@read']);
my $tls = RedisServer->start(tls => { cert => "$certificates/server.crt",
    key => "$certificates/server.key" });
my $wrong = RedisServer->start(tls => { cert => "$certificates/wrong.crt",
    key => "$certificates/wrong.key" });
my $absent = RedisServer->new;
my $dns = NameServer->start("127.0.0.1 60\n");

my $ca = "tls=on ssl_trusted_certificate=$certificates/ca.crt";
my ($to, $locked_at) = ($plain->address, $locked->address);
my %lines = (
    plain => "$to database=2",
    socket => $plain->socket,
    two => "$to pool=2",
    password => "$locked_at password=env:REDIS_PASSWORD",
    user => "$locked_at user=limiter password=sk-secret-limiter",
    shy => "$locked_at user=shy password=sk-secret-shy",
    wrong_password => "$locked_at password=sk-secret-other",
    no_password => $locked_at,
    much_password => "$to password=sk-secret-needless",
    no_database => "$to database=99",
    tls => $tls->address . " $ca",
    tls_name => $wrong->address . " $ca ssl_name=somebody.example",
    tls_other => $wrong->address . " $ca",
    tls_unknown => $tls->address . ' tls=on',
    tls_unverified => $wrong->address . ' tls=on ssl_verify=off',
    tls_none => "$to $ca",
    named => "redis.ai-proxy.test:$plain->{port}",
    absent => $absent->address,
);
my $gw = Gateway->start(
    allowed => [],
    env => { REDIS_PASSWORD => 'sk-secret-redis' },
    main => "env REDIS_PASSWORD;\n",
    http => zone() . 'resolver ' . $dns->address . " valid=1s ipv6=off;\n"
        . join('', map { "ai_proxy_redis $_ $lines{$_} timeout=2s;\n" }
            sort keys %lines),
    server => 'location = /status { ai_proxy_status; }'
        . 'location = /metrics { ai_proxy_metrics; }');

sub status {
    my %found = map { $_->{name} => $_ }
        @{ decode($gw->client->get('/status')->{body})->{redis} };
    return \%found;
}

sub wait_for {
    my ($name, $connected) = @_;
    my $got;
    $gw->until(sub {
        $got = status()->{$name};
        return $got->{connected} == $connected
            && ($connected || $got->{last_error} ne '');
    }, 20);
    return $got;
}

for my $name (qw(plain socket two password user shy tls tls_name
    tls_unverified named))
{
    my $got = wait_for($name, 1);
    ok($got->{connected}, "$name: connected") or diag(encode($got));
}
is(wait_for('plain', 1)->{connections}, 1, 'one connection');
ok($gw->until(sub { status()->{two}{connections} == 2 }), 'two of pool=2');
is(status()->{plain}{last_error}, '', 'no error');

for my $case (
    [wrong_password => qr/^AUTH: WRONGPASS/],
    [no_password => qr/^NOAUTH/],
    [much_password => qr/^AUTH: ERR/],
    [no_database => qr/^SELECT: ERR/],
    [tls_other => qr/^its certificate is not that of "127\.0\.0\.1"/],
    [tls_unknown => qr/^its certificate cannot be trusted/],
    [tls_none => qr/^(?:the TLS handshake|it closed the connection)/],
    [absent => qr/^cannot connect: Connection refused/])
{
    my ($name, $error) = @$case;
    my $got = wait_for($name, 0);
    ok(!$got->{connected} && $got->{last_error} =~ $error, "$name: $error")
        or diag(encode($got));
}

# What is away is told of once, and once when it is back.

$absent->start;
ok(wait_for('absent', 1)->{connected}, 'a server that starts later is found');
$gw->until(sub { $gw->error_log =~ /redis "absent" at \S+ is back/ });
my @away = $gw->error_log =~ /\[warn\][^\n]*redis "absent" at \S+ is away/g;
my @back = $gw->error_log =~ /\[notice\][^\n]*redis "absent" at \S+ is back/g;
is(@away . '/' . @back, '1/1', 'one line for its absence and one for its end');

my $connects = status()->{absent}{connects};
$absent->stop;
ok($gw->until(sub { !status()->{absent}{connected} }),
    'the end of a server is seen');
$absent->start;
ok(wait_for('absent', 1)->{connected}, 'and its restart');
is(status()->{absent}{connects}, $connects + 1, 'as one connection more');

# A server that closes idle connections is no outage.

$connects = status()->{two}{connects};
my $lines = () = $gw->error_log =~ /redis "two"/g;
sleep 1; # a connection that ends at once is tried again later
$plain->say(qw(client kill type normal));
ok($gw->until(sub { status()->{two}{connects} >= $connects + 2 }),
    'connections that were closed are made again');
ok(wait_for('two', 1)->{connected}, 'all is well');
my $now = () = $gw->error_log =~ /redis "two"/g;
is($now, $lines, 'and the log is silent about it');

my $metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_redis_connections\{redis="two"\} 2$/m,
    'the connections in the metrics');
like($metrics, qr/^ai_proxy_redis_connects_total\{redis="absent"\} 2$/m,
    'and how often they were made');
like($metrics,
    qr/^ai_proxy_redis_errors_total\{redis="plain",kind="timeout"\} 0$/m,
    'errors by kind');

# Idle connections keep no worker alive.

$gw->reload;
ok($gw->until(sub { $gw->workers == 1 }), 'the old worker leaves at once');
ok(wait_for('plain', 1)->{connected}, 'the new one is connected');
ok($gw->until(sub { status()->{plain}{connections} == 1 }), 'alone');

$gw->stop;

for my $case (
    ['a' => qr/invalid number of arguments in "ai_proxy_redis"/],
    ['a b=c' => qr/ai_proxy_redis "a": unknown parameter "b"/],
    ['a pool=1' => qr/"a": an address is missing/],
    ['a! h' => qr/invalid name "a!"/],
    ['a 127.0.0.1:0' => qr/"a": invalid address "127\.0\.0\.1:0"/],
    ['a 127.0.0.1 127.0.0.2' => qr/several addresses need "cluster=on"/],
    ['a 127.0.0.1 pool=0' => qr/invalid value "0" in "pool"/],
    ['a 127.0.0.1 pool=1 pool=2' => qr/duplicate parameter "pool"/],
    ['a 127.0.0.1 tls=yes' => qr/invalid value "yes" in "tls": on or off/],
    ['a 127.0.0.1 timeout=0' => qr/invalid value "0" in "timeout"/],
    ['a 127.0.0.1 on_error=x' => qr/"on_error": allow, deny or zone/],
    ['a 127.0.0.1 user=x' => qr/a user needs a password/],
    ['a 127.0.0.1 password=env:NONE_SUCH' => qr/"NONE_SUCH" is not set/],
    ['a 127.0.0.1 ssl_name=x' => qr/parameters of TLS need "tls=on"/],
    ['a 127.0.0.1 cluster=on sentinel=m' => qr/exclude each other/],
    ['a 127.0.0.1 cluster=on database=1' => qr/a cluster has no databases/],
    ['a unix:/x tls=on' => qr/TLS on a UNIX socket needs "ssl_name"/],
    ['a none.ai-proxy.test' => qr/host not found: "none\.ai-proxy\.test:6379"/],
    ['a 127.0.0.1 tls=on ssl_trusted_certificate=/none' =>
        qr{ai_proxy_redis "a": cannot open "ssl_trusted_certificate" "/none"}],
    ["a 127.0.0.1;\nai_proxy_redis a 127.0.0.1" => qr/duplicate name "a"/])
{
    my ($line, $error) = @$case;
    my ($code, $said) = Gateway->new(
        http => zone() . "ai_proxy_redis $line;\n", server => '')->check;
    ok($code != 0 && $said =~ $error && $said =~ /nginx\.conf:\d+/,
        (split /\n/, $line)[-1]) or diag($said);
}

done_testing();
