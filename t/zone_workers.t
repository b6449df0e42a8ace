#!/usr/bin/perl

# Workers and what the zone has for their counts: they count concurrency
# together, and say when they cannot.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(stall => { fail => 'stall' });

sub start {
    my ($size, $workers, @more) = @_;
    return Gateway->start(workers => $workers,
        http => "ai_proxy_zone ai $size;\n"
            . provider(p => openai => $up->url('stall')) . join('', @more),
        server => "location / { ai_proxy_pass p;"
            . " ai_proxy_concurrency \$http_x_user limit=1; }\n"
            . "location = /metrics { ai_proxy_metrics; }\n");
}

sub times_said {
    my ($gw, $what) = @_;
    return scalar(() = $gw->error_log =~ /\[warn\][^\n]*$what/g);
}

sub lone_workers {
    my ($gw) = @_;
    my ($count) = $gw->client->get('/metrics')->{body}
        =~ /^ai_proxy_zone_lone_workers_total (\d+)$/m;
    return $count;
}

###############################################################################
# There may be many workers, and old ones beside them.

SKIP: {
    skip 'takes much memory', 7 if $ENV{AI_PROXY_ASAN};
    my $gw = start('16m', 130);
    $gw->until(sub { $gw->workers == 130 });
    is(lone_workers($gw), 0, 'room for 130');
    is(times_said($gw, 'ai_proxy'), 0, 'nobody complains');
    $gw->stop;

    # The tables of a small zone are as small as they have to be.
    $gw = start('1m', 100);
    $gw->until(sub { $gw->workers == 100 });
    is(lone_workers($gw), 0, 'room for 100 in a small zone');
    is(times_said($gw, 'ai_proxy'), 0, 'nobody complains');
    $gw->stop;

    # A zone that is too small for them.
    $gw = start('32k', 60);
    my $small = qr/\[warn\][^\n]*"ai" is too small for the counts of 120 workers/;
    like(Gateway::slurp("$gw->{dir}/logs/stderr"), $small,
        'the start says that the zone is too small');
    like(($gw->check)[1], $small, 'and so does a test of the configuration');
    my $lone = 'zone "ai" has no room for what this worker counts';
    ok($gw->until(sub { $gw->workers == 60 && lone_workers($gw)
        && lone_workers($gw) == times_said($gw, $lone) }),
        'each worker that counts alone says so, and the metrics do');
    $gw->stop;
}

# What fills the zone leaves them theirs.

my $gw = start('32k', 1, map { provider("m$_" => 'mock') } 1 .. 400);
$gw->reload;
is(lone_workers($gw), 0, 'tables are made before the zone is full');
$gw->stop;

# A worker that was told to leave and is killed then: nobody takes its place.

$gw = start('1m', 1);
my ($old) = $gw->workers;
my $ask = sub { return $gw->client->send('POST', '/v1/chat/completions',
    chat_body(), headers => { 'X-User' => 'one' }) };
my $first = $ask->();
$gw->until(sub { $up->requests('stall') });
$gw->reload;
is($ask->()->finish->{status}, 429, 'what the old worker does counts');
push @{ $gw->{allowed} }, qr/exited on signal 9/;
kill KILL => $old;
my $again;
ok($gw->until(sub {
    $again = $ask->();
    $again->wait(sub { 0 }, 0.2);
    !$again->{reply}{complete};
}), 'until it is gone');
$_->close for $first, $again;
$gw->stop;

###############################################################################
# The table of one worker, in the smallest zone 16 counts.

$gw = start('32k', 1);
my @clients = map { $gw->client->send('POST', '/v1/chat/completions',
    chat_body(), headers => { 'X-User' => "user$_" }) } 1 .. 20;
my $full = 'counts as many things under way as it can';
ok($gw->until(sub { times_said($gw, $full) }), 'a full table is told');
is(times_said($gw, $full), 1, 'once');
$_->close for @clients;

done($gw);
