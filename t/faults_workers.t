#!/usr/bin/perl

# A worker that is killed in the middle of streams: the other one goes on, a
# new one comes, and what they share is neither locked nor lost.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hi') },
    (map { ("slow$_" => { events => stream_events('one two three four'),
        gate => 3 }) } 1 .. 3),
    broken => { status => 429, json => { error => { message => 'slow' } } },
);
my $gw = Gateway->start(
    workers => 2, allowed => [qr/exited on signal 9/],
    http => "ai_proxy_zone ai 1m;\n"
        . provider(plain => openai => $up->url('plain'))
        . join('', map { provider("slow$_" => openai => $up->url("slow$_")) }
            1 .. 3)
        . provider(broken => openai => $up->url('broken'),
            'api_token sk-secret-1;', 'api_token sk-secret-2;')
        . "ai_proxy_route keys {\n provider broken;\n fallback plain;\n}\n",
    server => join('', map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(plain slow1 slow2 slow3 keys))
        . "location = /pid { return 200 '\$pid'; }\n"
        . "location = /metrics { ai_proxy_metrics; }\n"
        . "location = /status { ai_proxy_status; }\n");

my $chat = 'v1/chat/completions';

sub metric {
    my ($name) = @_;
    my $sum = 0;
    my $text = $gw->client->get('/metrics')->{body};
    $sum += $1 while $text =~ /^ai_proxy_\Q$name\E(?:\{[^}]*\})? (\S+)$/mg;
    return $sum;
}

sub ask {
    my ($place, %fields) = @_;
    return $gw->client->post("/$place/$chat", chat_body(%fields));
}

ask('plain') for 1 .. 6;
ask('keys');
$gw->until(sub { metric('requests_total') == 7 });
my $counted = metric('requests_total');
is($counted, 7, 'requests are counted');

for my $round (1 .. 3) {
    my @old = $gw->workers;
    is(scalar @old, 2, "round $round: two workers");

    # Streams on both.
    my (@clients, %by);
    # One of them may take all for a while.
    $gw->until(sub {
        my $client = $gw->client;
        $client->send('GET', '/pid', undef)->finish;
        my $pid = $client->{reply}{body};
        if (@{ $by{$pid} // [] } < 5) {
            push @{ $by{$pid} }, $client;
            $client->send('POST', "/slow$round/$chat",
                chat_body(stream => \1));
        }
        (grep { @$_ >= 5 } values %by) == 2;
    }, 30);
    is(scalar(grep { @$_ } values %by), 2, 'both have streams');
    my ($victim, $other) = sort keys %by;
    $_->wait(sub { $_[0]{body} =~ /one/ }, 10) for map { @$_ } values %by;
    kill 'KILL', $victim;
    $up->open_gate("slow$round") for map { @$_ } values %by;

    $_->finish for map { @$_ } values %by;
    my @whole = grep { $_->{reply}{complete} && $_->{reply}{body} =~ /DONE/ }
        @{ $by{$other} };
    is(scalar @whole, scalar @{ $by{$other} },
        'the streams of the other one are whole');
    is(scalar(grep { $_->{reply}{body} =~ /DONE/ } @{ $by{$victim} }), 0,
        'those of the killed one do not look complete');
    ok($gw->until(sub { (grep { $_ != $victim } $gw->workers) == 2 }),
        'a new worker comes');

    # Neither lock nor counters are lost.
    ask('plain') for 1 .. 4;
    is(Client::text(ask('keys')), 'hi', 'requests are answered');
    $counted += 5 + @{ $by{$other} };
    $gw->until(sub { metric('requests_total') == $counted });
    is(metric('requests_total'), $counted, 'counters go on');
    is($gw->client->get('/status')->{status}, 200, 'the status is there');
    $gw->until(sub { metric('active_streams') == 0 });
    is(metric('active_streams'), 0, 'the killed streams run no more');
}

done($gw, $up);
