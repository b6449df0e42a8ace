#!/usr/bin/perl

# Budgets of tokens in a Redis behind TLS, a password and a UNIX socket, and in
# one that refuses, is silent, killed, full or has forgotten its scripts: when
# a request comes, and between what it takes beforehand and its end.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Budgets;
use Faults qw(open_files);
use RedisServer;
use Test::More;

needs_module();

my %held = (events => stream_events('one two three'), gate => 0);
my $up = Upstream->start(
    plain => { json => chat_answer('hello') }, held => \%held,
    late => \%held);
my $certificates = Upstream::certificates();
my $tls = RedisServer->start(tls => { cert => "$certificates/server.crt",
    key => "$certificates/server.key" });
my $locked = RedisServer->start(socket => 1, lines => [
    'requirepass sk-secret-redis',
    'user limiter on >sk-secret-limiter ~ai_proxy_token_limit:* +@all',
    'user mute on >sk-secret-mute ~* +@all -@scripting',
    'user reader on >sk-secret-reader ~* +@read +@scripting',
    'user stranger on >sk-secret-stranger ~other:* +@all']);
$locked->{cli} = [qw(-a sk-secret-redis)];
my $broken = RedisServer->start; # it is paused, killed and filled

my @policies = qw(allow deny zone);
my $locked_at = $locked->address;
my %redis = (
    tls => $tls->address . ' tls=on timeout=20s '
        . "ssl_trusted_certificate=$certificates/ca.crt",
    password => "$locked_at password=sk-secret-redis",
    user => "$locked_at user=limiter password=sk-secret-limiter",
    socket => $locked->socket . ' password=sk-secret-redis database=3',
    map({ my $p = $_; ($p => $broken->address . " timeout=700ms on_error=$p",
        map { ("${_}_$p" => "$locked_at user=$_ password=sk-secret-$_ "
            . "on_error=$p") } qw(mute reader stranger)) } @policies));
my @names = sort keys %redis;
my $limit = 'ai_proxy_token_limit key=$http_x_user';

# Another one than that of Redis, in the zone: what it granted is given back.
my $near = "$limit rate=50000/h name=near";

sub lines_of {
    my ($name) = @_;
    my $kind = $name =~ /deny/ ? 'fixed' : 'sliding';
    my $line = "$limit rate=100/h store=$name name=$name algorithm=$kind;";
    return "location /$name/ { ai_proxy_pass plain; $near; $line }\n"
        . join '', map { "location /${_}_$name/ { ai_proxy_pass $_; $line }\n" }
            qw(held late);
}

my $gw = Gateway->start(
    http => zone() . "keepalive_requests 100000;\n"
        . join('', map { "ai_proxy_redis $_ $redis{$_};\n" } @names)
        . join('', map { provider($_ => openai => $up->url($_), 'keepalive 0;')
            } qw(plain held late)),
    server => "location = /status { ai_proxy_status; }\n"
        . "location /near/ { ai_proxy_pass plain; $near; }\n"
        . join '', map { lines_of($_) } @names);

# One connection for all of them: descriptors are counted.
my $watcher = $gw->client;
sub status { return decode($watcher->get('/status')->{body}) }

sub redis {
    my ($name) = @_;
    my ($found) = grep { $_->{name} eq $name } @{ status()->{redis} };
    return $found;
}

sub uncounted {
    my ($name) = @_;
    my ($found) = grep { $_->{limit} eq $name } @{ status()->{limits} };
    return $found->{store_errors};
}

sub connected {
    my ($what, @which) = @_;
    ok($gw->until(sub { !grep { !redis($_)->{connected} } @which }, 20), $what);
}

connected('all are connected', @names);
my ($before, $workers) = (open_files($gw), join ' ', $gw->workers);

# Redis counts.
sub check_counts {
    my ($name, $user) = @_;
    is(left(ask($gw, $name, $user, max_tokens => 40)), 85,
        "$name: an answer passes");
    charged($gw, $name, $user, 100, 15, "$name: and is charged");
    my $error = check_error(ask($gw, $name, $user, max_tokens => 90), 429,
        qr/100 tokens per hour, 15 used/, "$name: what does not fit");
    is($error->{code}, 'rate_limit_exceeded', "$name: its code");
    my $client = hold($gw, $up, held => $name, $user);
    is(spent($gw, $name, $user, 100), 63, "$name: it is taken for");
    let_go($up, held => $name, $client);
    charged($gw, $name, $user, 100, 30, "$name: and charged in the end");
}

check_counts($_, 'ann') for qw(tls password user socket), @policies;

# Redis cannot be asked: its policies.
sub check_policies {
    my ($what, $prefix, $codes) = @_;
    my %name = map { $_ => "$prefix$_" } @policies;
    my %before = map { $_ => uncounted($_) } values %name;
    for (1, 2) { # the second one would not fit
        my $reply = ask($gw, $name{allow}, $what, max_tokens => 90);
        is($reply->{status}, 200, "$what: allow");
        is(Client::header($reply, 'x-ratelimit-limit-tokens'), 50_000,
            "$what: it is not told of");
    }
    my $reply = ask($gw, $name{deny}, "$what-deny", max_tokens => 40);
    my $error = check_error($reply, 503, qr/limits cannot be checked/,
        "$what: deny");
    like($error->{code}, $codes, "$what: its code");
    is(Client::header($reply, 'x-ratelimit-limit-tokens'), undef,
        "$what: nothing is told");
    is(left(ask($gw, near => "$what-deny")), 50_000 - 15,
        "$what: what another budget granted is given back");
    is(left(ask($gw, $name{zone}, "$what-zone", max_tokens => 40)), 85,
        "$what: the zone counts");
    $reply = ask($gw, $name{zone}, "$what-zone", max_tokens => 90);
    $error = check_error($reply, 429, qr/100 tokens per hour, 15 used/,
        "$what: and refuses");
    is($error->{code}, 'rate_limit_exceeded', "$what: its code");
    ok(Client::header($reply, 'Retry-After'), "$what: Retry-After");
    is(join(' ', map { uncounted($_) - $before{$_} } @name{@policies}),
        '2 1 2', "$what: what Redis did not count");
}

# A user that may not run scripts, not write, not use our keys.

my $keys = $locked->say('dbsize');
check_policies($_, "${_}_", qr/^redis_error$/) for qw(mute reader stranger);
is($locked->say('dbsize'), $keys, 'and no key is left');
is(redis('mute_deny')->{errors_refused}, 1, 'the status counts refusals');

# Silent when requests come: each is answered by its policy.

my %timeouts = map { $_ => redis($_)->{errors_timeout} } @policies;
$broken->pause;
my %waiting = map { my $name = $_; $name => [map { send_ask($gw, $name,
    'waits', max_tokens => 40) } 1 .. 3] } @policies;
my %got = map { $_ => join ' ', map { $_->finish->{status} }
    @{ $waiting{$_} } } @policies;
is($got{allow}, '200 200 200', 'silent: all that waited pass');
is($got{deny}, '503 503 503', 'silent: all that waited are refused');
is($got{zone}, '200 200 429', 'silent: the zone has room for two');
is(redis($_)->{errors_timeout}, $timeouts{$_} + 3, "silent: $_ is out of time")
    for @policies;
check_policies(silent => '', qr/^redis_unavailable$/);
$broken->resume;
connected('silent: it goes on', @policies);
charged($gw, deny => 'waits', 100, 96,
    'silent: what it grants later stays taken');
$_->close for map { @$_ } values %waiting;
check_counts($_, 'after-silence') for @policies;

# In each state a stream ends that had been let in before.  What its Redis has
# in its books afterwards depends on what became of them.

sub check_between {
    my ($what, $break, $codes, $repair, $books) = @_;
    my @held = map { hold($gw, $up, held => $_, "$what-held") }
        @policies;
    my @late = map { hold($gw, $up, late => $_, "$what-late") }
        @policies;
    $break->();
    let_go($up, held => $what, @held);
    check_policies("$what-now", '', $codes) if $codes;
    $repair->();
    connected("$what: it is back", @policies);
    let_go($up, late => $what, @late);
    for my $name (@policies) {
        charged($gw, $name, "$what-$_", 100, $books,
            "$what, $name: the books of who ended $_")
            for qw(held late);
        is(left(ask($gw, $name, "$what-late", max_tokens => 20)),
            100 - $books - 15, "$what, $name: and go on");
    }
}

check_between(forgetful => sub { $broken->say('script', 'flush') }, undef,
    sub { $broken->say('script', 'flush') }, 15);
check_between(paused => sub { $broken->pause },
    qr/^redis_(?:timeout|unavailable)$/, sub { $broken->resume }, 15);
check_between(killed => sub { $broken->stop }, qr/^redis_unavailable$/,
    sub { $broken->start }, 0);
check_between(full => sub { $broken->say(qw(config set maxmemory 1)) },
    qr/^redis_error$/, sub { $broken->say(qw(config set maxmemory 0)) }, 15);

# Nothing is left behind.

my @immortal = grep { $broken->say('pttl', $_) < 0 }
    split /\n/, $broken->say('keys', '*');
is("@immortal", '', 'all counters end with their windows');
my $now;
$gw->until(sub { status(); ($now = open_files($gw)) == $before });
is($now, $before, 'no descriptor is left');
is(join(' ', map { $_->{active_streams} } grep { $_->{active_streams} }
    @{ status()->{series} }), '', 'no stream is left');
is(join(' ', $gw->workers), $workers, 'the worker is the same');
my @refusals = $gw->error_log =~ /\[warn\][^\n]*refused \d+ commands/g;
ok(@refusals && @refusals <= 24, 'the log is not flooded')
    or diag(scalar @refusals);

done($gw, $up);
