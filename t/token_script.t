#!/usr/bin/perl

# The script that counts tokens in Redis, by a clock of the test: windows and
# their edges, what is given back and charged later, a clock that goes back, a
# Redis that is full.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use List::Util qw(max min sum0);
use POSIX qw(ceil floor);
use RedisServer;
use Test::More;

my ($script) = Gateway::slurp('src/core/limit/token_scripts.cpp')
    =~ /R"\(\n(.*?)\)"/s or die 'no script';
$script =~ s/redis\.call\('TIME'\)/{KEYS[2], KEYS[3]}/ or die 'no clock';

my $redis = RedisServer->start;
my $socket = IO::Socket::INET->new(PeerAddr => $redis->address) or die $!;

sub reply {
    my ($kind, $rest) = (readline $socket) =~ /^(.)(.*)\r\n$/ or die 'no reply';
    return "error: $rest" if $kind eq '-';
    return $rest if $kind =~ /[:+]/;
    return [map { reply() } 1 .. $rest] if $kind eq '*';
    return undef if $rest < 0;
    read $socket, my $text, $rest + 2;
    return substr $text, 0, $rest;
}
sub say_redis {
    print $socket '*' . @_ . "\r\n", map { '$' . length . "\r\n$_\r\n" } @_;
    $socket->flush;
    return reply();
}
my $sha = say_redis('SCRIPT', 'LOAD', $script);

# A budget and what the script should make of it.
my $budgets = 0;
sub budget {
    my (%w) = (window => 60_000, amount => 100, fixed => 0, @_);
    return { %w, key => 'k' . $budgets++, parts => {}, now => 1.7e12 };
}
sub run_script {
    my ($w, $budget, $amount, $force, @corrections) = @_;
    return say_redis('EVALSHA', $sha, 3, $w->{key}, floor($w->{now} / 1000),
        $w->{now} % 1000 * 1000, $w->{window}, $w->{fixed}, $budget, $amount,
        $force, map { @$_ } @corrections);
}
sub take {
    my ($w, $amount, $force, @corrections) = @_;
    return run_script($w, $w->{amount}, $amount, $force // 0, @corrections);
}
sub settle { my ($w, @by) = @_; return run_script($w, '', 0, 0, @by) }

###############################################################################
# against all that was taken, added up

sub over { my ($w, $part) = @_;
    return ceil(($part + 129) * $w->{window} / 128) }

sub correct {
    my ($w, $stamp, @corrections) = @_;
    my $parts = $w->{parts};
    # What was spent last is known at the end.
    my $turn = sub { $_[0][0] > 0 ? 0 : $_[0][1] == 0 ? 2 : 1 };
    for (sort { $turn->($a) <=> $turn->($b) } @corrections) {
        my ($by, $from) = @$_;
        if ($by > 0) {
            $parts->{$stamp} += $by;
        } elsif ($from == 0) {
            for my $last (sort { $b <=> $a } keys %$parts) {
                my $less = min(-$by, $parts->{$last});
                $parts->{$last} -= $less;
                $by += $less;
            }
        } elsif (exists $parts->{$from}) {
            $parts->{$from} = max($parts->{$from} + $by, 0);
        }
    }
}
sub expected {
    my ($w, $amount, $force, @corrections) = @_;
    my ($parts, $now, $window) = @$w{qw(parts now window)};
    my $stamp = floor($now * 128 / $window);
    if ($w->{fixed}) {
        my ($begin) = keys %$parts;
        %$parts = () if defined $begin && $now - $begin >= $window;
        $stamp = %$parts ? $begin : $now;
    } else {
        delete @$parts{grep { $_ < $stamp - 128 } keys %$parts};
    }
    correct($w, $stamp, @corrections);
    my $used = sum0(values %$parts);
    my $granted = $force || $used + $amount <= $w->{amount} ? 1 : 0;
    my $retry = 0;
    if ($granted) {
        $parts->{$stamp} += $amount;
        $used += $amount;
    } elsif ($amount <= $w->{amount}) {
        my $free = 0;
        my @need = grep { $parts->{$_} > 0 } sort { $a <=> $b } keys %$parts;
        for my $part (@need) {
            $free += $parts->{$part};
            $retry = over($w, $part);
            last if $free >= $used + $amount - $w->{amount};
        }
        $retry = max(($w->{fixed} ? $stamp + $window : $retry) - $now, 1);
    }
    my $last = max(grep { $parts->{$_} > 0 } keys %$parts) // $stamp;
    my $end = $w->{fixed} ? $stamp + $window : over($w, $last);
    return [$granted, $stamp, $used, $used > 0 ? max($end - $now, 0) : 0,
        $retry];
}

srand 5;
for my $fixed (0, 1) {
    my ($takes, @wrong) = 0;
    for my $window (1000, 60_000, 3_600_000) {
        for (1 .. 15) {
            my $w = budget(window => $window, fixed => $fixed,
                amount => (100, 5000, 1_000_000)[rand 3]);
            my (@held, @corrections);
            for (1 .. 40) {
                my $step = (0, 0, 1, $window / 300, $window / 128, $window / 3,
                    $window / 2, $window, 2 * $window)[rand 9];
                if ($step >= 1 && @corrections && rand 2 < 1) {
                    # On their own, as nothing else came.
                    settle($w, @corrections);
                    expected($w, $w->{amount} + 1, 0, @corrections);
                    @corrections = ();
                }
                $w->{now} += int $step;
                if (@held && rand 2 < 1) {
                    my ($amount, $stamp) = @{ splice @held, rand @held, 1 };
                    my $by = (-$amount, -int(rand $amount),
                        1 + int rand $amount)[rand 3];
                    # Of what was spent last, or where it was taken.
                    push @corrections, [$by, rand 3 < 1 && !$fixed ? 0 : $stamp]
                        if $by;
                    next;
                }
                my $amount = (0, 1, int(rand $w->{amount} / 3), $w->{amount},
                    $w->{amount} + 1)[rand 5];
                my $force = rand 6 < 1 ? 1 : 0;
                my $wanted = expected($w, $amount, $force, @corrections);
                my $got = take($w, $amount, $force, @corrections);
                @corrections = ();
                ++$takes;
                push @wrong, "@$got for @$wanted" if "@$got" ne "@$wanted";
                push @held, [$amount, $got->[1]] if $got->[0];
            }
        }
    }
    ok($takes > 500, "fixed=$fixed: $takes takes");
    is(scalar @wrong, 0, 'are as they should be') or diag($wrong[0]);
}

###############################################################################
# edges

my $w = budget();
my (undef, $stamp) = @{ take($w, 100) };
$w->{now} += 60_000;
is(take($w, 1)->[0], 0, 'a window later it is still in it');
$w->{now} += 470; # a 128th
is(take($w, 1)->[0], 1, 'and a 128th after that not');
settle($w, [-100, $stamp]);
is(take($w, 99)->[2], 100, 'what is gone is not given back');

$w = budget(fixed => 1);
(undef, $stamp) = @{ take($w, 100) };
$w->{now} += 59_999;
is(take($w, 1)->[4], 1, 'a fixed window ends after its last millisecond');
$w->{now} += 1;
is(take($w, 1)->[0], 1, 'and then the next one begins');
settle($w, [-100, $stamp]);
is(take($w, 99)->[2], 100, 'to which nothing is given back');

# A clock that goes back, as when another server becomes the master.

$w = budget(window => 128_000);
$w->{now} += 1000;
take($w, 40);
$w->{now} -= 1000;
take($w, 20);
is(take($w, 0)->[2], 60, 'what was taken ahead counts');
$w->{now} += 1000;
is(take($w, 5)->[2], 65, 'also when the clock is there again');
$w->{now} += 1000;
is(take($w, 5)->[2], 70, 'and later');

for my $fixed (0, 1) {
    $w = budget(fixed => $fixed);
    $w->{now} += 86_400_000;
    take($w, 100);
    $w->{now} -= 86_400_000;
    is(take($w, 10)->[2], 10, "fixed=$fixed: a day ahead is no window");
    $w->{now} += 1000;
    is(take($w, 10)->[2], 20, 'of which nothing comes back');
}

# A hash that somebody else has written to.

$w = budget();
take($w, 10);
say_redis('HSET', $w->{key}, 'used', 5, 'newest', 7);
$w->{now} += 1000;
is(take($w, 10)->[2], 20, 'what is not ours does not count');
is(say_redis('HEXISTS', $w->{key}, 'used'), 0, 'and goes');

# Keys end with their windows.

for my $fixed (0, 1) {
    $w = budget(fixed => $fixed);
    take($w, 10);
    my $left = say_redis('PTTL', $w->{key});
    ok($left > 50_000 && $left <= 61_000, "fixed=$fixed: a key has its time");
    settle($w, [-10, take($w, 10)->[1]]);
    ok(say_redis('PTTL', $w->{key}) > 50_000, 'and keeps it');
}

# A full Redis.

for my $fixed (0, 1) {
    my ($known, $other) = map { budget(fixed => $fixed) } 1 .. 2;
    my $from = take($known, 90)->[1];
    say_redis('CONFIG', 'SET', 'maxmemory', 1);
    like(take($known, 1), qr/^error: OOM/, "fixed=$fixed: a take is refused");
    like(take($other, 1), qr/^error: OOM/, 'and of a new key');
    is(say_redis('EXISTS', $other->{key}), 0, 'of which nothing is kept');
    is(settle($known, [-30, $from]), 0, 'what is given back is accepted');
    like(take($known, 1, 0, [-20, $from]), qr/^error: OOM/,
        'a take that gives back is refused');
    is(settle($known, [5, 0]), 0, 'what is charged later is accepted');
    say_redis('CONFIG', 'SET', 'maxmemory', 0);
    is(take($known, 0)->[2], 45, 'and all is in the books');
    ok(say_redis('PTTL', $known->{key}) > 50_000, 'that end');
}

done_testing();
