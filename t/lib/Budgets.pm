package Budgets;

# Budgets of tokens as callers see them, in the zone or in Redis.  A caller is
# known by X-User; an answer uses 11 + 4 tokens.

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

use AiProxyTest;
use Client;

our @EXPORT = qw(ask send_ask left spent charged refused hold let_go
    check_crowd check_overrun overrun);

my $crowd = 64;
my $answer = 15;
my $long_answer = 60;
my $beyond = 10_000; # any budget here

sub send_ask {
    my ($gw, $place, $user, %fields) = @_;
    return $gw->client->send('POST', "/$place/v1/chat/completions",
        chat_body(%fields), headers => { 'X-User' => $user });
}

sub ask { return send_ask(@_)->finish }

# A request that is larger than any budget here; it costs nothing.
sub refused {
    my ($gw, $place, $user, %fields) = @_;
    return ask($gw, $place, $user, %fields, max_tokens => $beyond);
}

# As the reply says.
sub left {
    return scalar Client::header($_[0], 'x-ratelimit-remaining-tokens');
}

sub spent {
    my ($gw, $place, $user, $budget) = @_;
    return $budget - (left(refused($gw, $place, $user)) // 0);
}

# An answer is charged when it is over, a moment after its last byte.
sub charged {
    my ($gw, $place, $user, $budget, $expected, $name) = @_;
    my $spent;
    $gw->until(sub {
        ($spent = spent($gw, $place, $user, $budget)) == $expected }, 20);
    is($spent, $expected, $name);
}

# A stream of the place whose name begins with that of the provider, which
# begins no answer until it is let go: its budget has been asked.
sub hold {
    my ($gw, $up, $provider, $place, $user) = @_;
    my $before = $up->requests($provider);
    my $client = send_ask($gw, "${provider}_$place", $user, stream => \1,
        max_tokens => 40);
    ok($gw->until(sub { $up->requests($provider) > $before }),
        "$place: a stream of $user is let in");
    return $client;
}

sub let_go {
    my ($up, $provider, $name, @clients) = @_;
    $up->open_gate($provider) for @clients;
    check_stream($_->finish, 'one two three', "$name: a stream ends")
        for @clients;
}

sub send_crowd {
    my ($gateways, $place, %fields) = @_;
    return map { send_ask($gateways->[$_ % @$gateways], $place, 'crowd',
        %fields) } 1 .. $crowd;
}

sub status { return grep { $_->{reply}{status} == $_[0] } @_[1 .. $#_] }

# 64 clients at once, until the budget has room for none of them: what is left
# is less than one of them takes beforehand, and that is 1 % of it at most.
sub check_crowd {
    my ($gateways, $place, $budget, $name) = @_;
    my ($served, $taken, $gone) = (0, 0, 0);
    until ($gone == $crowd) {
        my @clients = send_crowd($gateways, $place, max_tokens => 20);
        Client::finish_all(30, @clients);
        my @refused = status(429, @clients);
        $gone = @refused;
        $served += status(200, @clients);
        ($taken) = $refused[0]{reply}{body} =~ /(\d+) requested/ if $gone;
        # What is not given back yet is in the way of the next ones.
        last unless $gateways->[0]->until(sub {
            spent($gateways->[0], $place, 'crowd', $budget)
                == $answer * $served }, 20);
    }
    my $used = $answer * $served;
    is(spent($gateways->[0], $place, 'crowd', $budget), $used,
        "$name: each answer to a crowd is charged");
    cmp_ok($used, '<=', $budget, "$name: no more than the budget");
    cmp_ok($used, '>', $budget - $taken, "$name: and all of it");
    cmp_ok($taken, '<=', $budget / 100, "$name: but for 1 % at most");
    return $used;
}

# A provider's answer that is four times as long, and waits to be let go.
sub overrun {
    my @events = (@{ stream_events('one', no_usage => 1, no_done => 1) },
        { %{ chunk({}) }, choices => [], usage => { prompt_tokens => 11,
            completion_tokens => $long_answer - 11,
            total_tokens => $long_answer } }, '[DONE]');
    return { events => \@events, gate => 0 };
}

# Of 64 clients whose answers bring more than was taken for them as many get in
# as were taken for: the budget is exceeded by the rest of their answers alone.
sub check_overrun {
    my ($gateways, $up, $place, $budget, $name) = @_;
    my ($taken) = refused($gateways->[0], $place, 'crowd')->{body}
        =~ /(\d+) requested/;
    my $most = int($budget / ($taken -= $beyond - 1));
    my @clients = send_crowd($gateways, $place, stream => \1,
        max_tokens => 1);
    my (@refused, @running);
    $gateways->[0]->until(sub {
        @refused = grep { $_->read(0)->{complete} } @clients;
        @refused + $up->requests($place) == @clients;
    });
    @running = grep { !$_->{reply}{complete} } @clients;
    is(@running, $most, "$name: those that were taken for run");
    is(status(429, @refused), $crowd - $most, "$name: others are refused");
    $up->open_gate($place) for @running;
    Client::finish_all(30, @running);
    is(status(200, @running), $most, "$name: all come to their end");
    my $used = 0;
    $gateways->[0]->until(sub {
        ($used) = refused($gateways->[0], $place, 'crowd')->{body}
            =~ /(\d+) used/;
        $used == $most * $long_answer;
    }, 20);
    is($used, $most * $long_answer, "$name: each is charged");
    cmp_ok($used - $budget, '<=', $most * ($long_answer - $taken),
        "$name: no more over than they brought");
}

1;
