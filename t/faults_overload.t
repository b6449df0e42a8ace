#!/usr/bin/perl

# More than a worker can take: connections or descriptors are spent, one
# stream floods.  Who cannot be served is told so, everybody else is served,
# and it passes by itself.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Faults;
use Test::More;

needs_module();

my $up = Faults->start;
my $chat = 'v1/chat/completions';
my @names = (ok => 'ok', waiting => 'stall_before', flood => 'flood:80',
    large => 'flood_body');
my $http = "ai_proxy_zone ai 4m;\n";
my @places;
while (my ($name, $fault) = splice @names, 0, 2) {
    $http .= provider("${name}_$_" => $_ => $up->url($fault), 'keepalive 0;')
        for qw(openai claude);
    push @places, "${name}_openai", "${name}_claude";
}
my $server = "access_log %%DIR%%/logs/access.log e;\n"
    . "keepalive_timeout 0;\n" . join '', map {
    "location /$_/ { ai_proxy_pass $_; }\n" } @places;
$http .= "log_format e '\$status \$ai_proxy_error';\n";

###############################################################################
# connections, descriptors

# Each request takes two descriptors.  With one of two limits the last to come
# finds one, not two and not none, whatever the worker has open itself: it is
# accepted, and there is none for its provider.
my $told = 0;
for my $case (
    ['connections', events => 'worker_connections 40;'],
    ['descriptors', main => "worker_rlimit_nofile 44;\n"],
    ['descriptors', main => "worker_rlimit_nofile 45;\n"],
) {
    my ($what, @limit) = @$case;
    my $gw = Gateway->start(http => $http, server => $server,
        access_log => '', @limit, allowed => [
            qr/worker_connections are not enough|Too many open files/]);
    my @waiting;
    for (1 .. 24) {
        push @waiting, $gw->client->send('POST', "/waiting_openai/$chat",
            chat_body());
        select undef, undef, undef, 0.005;
    }
    $gw->until(sub { $gw->error_log
        =~ /worker_connections are not enough|Too many open files/ });
    Client::finish_all(1, @waiting);
    my @told = map { $_->{reply} } grep { $_->{reply}{status} } @waiting;
    ok(scalar @told, "no $what: some are told") if $what eq 'connections';
    $told += @told if $what eq 'descriptors';
    my @wrong;
    for my $reply (@told) {
        my $error = (Client::json($reply) // {})->{error};
        push @wrong, substr $reply->{raw}, 0, 500
            if $reply->{status} < 500 || ref $error ne 'HASH'
                || !$error->{message} || !$error->{code};
    }
    is("@wrong", '', "no $what: in words of the dialect, with a 5xx");
    my ($worker) = $gw->workers;
    $_->close for @waiting;
    my $reply;
    $gw->until(sub {
        $reply = eval { $gw->client(timeout => 2)->post("/ok_openai/$chat",
            chat_body()) } // {};
        ($reply->{status} // 0) == 200;
    });
    is(Client::text($reply), 'one two three', "no $what: it passes by itself");
    is(($gw->workers)[0], $worker, 'with the same worker');
    $gw->stop;
}
cmp_ok($told, '>', 0, 'no descriptors: some are told');

###############################################################################
# a flood

my $gw = Gateway->start(http => $http, server => $server, access_log => '');
my $file = $gw->write_file('body.json', chat_body(stream => \1));

# A client that takes all it can get, in a process of its own.
sub flooded {
    my ($place) = @_;
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    my $pid = fork // die $!;
    return $pid if $pid;
    exec 'curl', '-sSN', '--max-time', 60, '-o', '/dev/null', '-H',
        'Content-Type: application/json', '--data-binary', "\@$file",
        $gw->url("/$place/$chat") or POSIX::_exit(127);
}

for my $kind (qw(openai claude)) {
    my $pid = flooded("flood_$kind");
    $gw->until(sub { $up->open });
    select undef, undef, undef, 0.05;
    my ($served, $longest, $status, $over) = (0, 0, 200, 0);
    until ($over || $status != 200) {
        my $begin = Client::now();
        $status = $gw->client->post("/ok_openai/$chat", chat_body())->{status};
        my $took = Client::now() - $begin;
        $longest = $took if $took > $longest;
        # Only what was answered while the flood went on counts.
        $over = waitpid($pid, POSIX::WNOHANG()) != 0;
        $served++ unless $over;
    }
    is($status, 200, "$kind: who asks during a flood is answered");
    is($?, 0, "$kind: the flood arrives") if $over;
    # Who is starved is answered when it is over, and does not count; how many
    # are not is a matter of the machine.
    cmp_ok($served, '>=', 2, "$kind: a flood starves nobody")
        or diag(sprintf 'the slowest took %.0f ms', $longest * 1000);
    note(sprintf '%s: %d answers, the slowest took %.0f ms', $kind, $served,
        $longest * 1000);
}

# And an answer without an end has one.

for my $kind (qw(openai claude)) {
    my $reply = $gw->client->post("/large_$kind/$chat", chat_body());
    my $error = check_error($reply, 502, undef, "$kind: a body without an end");
    is($error->{code}, 'upstream_too_large', 'is too large');
}

done($gw, $up);
