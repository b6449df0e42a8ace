#!/usr/bin/perl

# Prometheus text and JSON status: numbers that add up, labels that clients
# cannot create, over workers and a reload.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    plain => { json => chat_answer('hi') },
    stream => { events => stream_events('one two') },
    broken => { status => 500, json => { error => { message => 'boom' } } },
    gate => { events => stream_events('one two'), gate => 1 },
);
my $gw = Gateway->start(
    workers => 2,
    http => zone()
        . provider(plain => openai => $up->url('plain'),
            'model_map known vendor-known;', 'models "odd\"name";')
        . provider(broken => openai => $up->url('broken'))
        . provider(stream => openai => $up->url('stream'))
        . provider(gate => openai => $up->url('gate'))
        . "ai_proxy_route fb {\n provider broken;\n fallback plain;\n}\n",
    server => <<'EOF');
location /plain/ { ai_proxy_pass plain; }
location /stream/ { ai_proxy_pass stream; }
location /gate/ { ai_proxy_pass gate; }
location /broken/ { ai_proxy_pass broken; }
location /fb/ { ai_proxy_pass fb; }
location = /metrics { ai_proxy_metrics; }
location = /ai/status { ai_proxy_status; }
EOF

# name{labels} => value, after checking the format.
sub metrics {
    my $reply = $gw->client->get('/metrics');
    is($reply->{status}, 200, 'the metrics page') if $_[0];
    like(Client::header($reply, 'Content-Type'), qr{^text/plain}, 'as text')
        if $_[0];
    my (%value, %type, %help, @bad);
    for my $line (split /\n/, $reply->{body}) {
        if ($line =~ /^# TYPE (\w+) (counter|gauge|histogram)$/) {
            push @bad, "TYPE twice: $1" if $type{$1}++;
        } elsif ($line =~ /^# HELP (\w+) \S/) {
            push @bad, "HELP twice: $1" if $help{$1}++;
        } elsif ($line =~ /^(\w+)(\{[^}]*\})? ([0-9.e+-]+|\+Inf|NaN)$/) {
            push @bad, "series twice: $1$2" if exists $value{ $1 . ($2 // '') };
            my $family = $1 =~ s/_(bucket|sum|count)$//r;
            push @bad, "no TYPE: $1" unless $type{$1} || $type{$family};
            $value{ $1 . ($2 // '') } = $3;
        } elsif ($line ne '') {
            push @bad, "a line: $line";
        }
    }
    push @bad, 'no last newline' unless $reply->{body} =~ /\n\z/;
    ok(!@bad, 'the text format holds') or diag(join "\n", @bad);
    return \%value;
}

# Sum of all series of a name whose labels match.
sub sum {
    my ($metrics, $name, %labels) = @_;
    my $sum = 0;
    for my $key (keys %$metrics) {
        next unless $key =~ /^\Q$name\E(?:\{|$)/;
        next if grep { $key !~ /\b$_="\Q$labels{$_}\E"/ } keys %labels;
        $sum += $metrics->{$key};
    }
    return $sum;
}

sub chat {
    my ($location, %fields) = @_;
    return $gw->client->post("/$location/v1/chat/completions",
        chat_body(%fields));
}

# The books close when the client has its answer already, and the page may be
# another worker's.
sub booked {
    my ($count) = @_;
    $gw->until(sub {
        my $text = $gw->client->get('/metrics')->{body};
        my $sum = 0;
        $sum += $1 while $text =~ /^ai_proxy_requests_total\{.*\} (\d+)/mg;
        return $sum >= $count;
    });
}

metrics(1);
chat('plain', model => 'known') for 1 .. 6;
chat('stream', stream => JSON::PP::true) for 1 .. 3;
chat('broken') for 1 .. 2;
chat('fb');
$gw->client->post('/plain/v1/chat/completions', '{');
booked(13);

my $m = metrics();
my ($name) = grep { /requests_total$/ && !/stream/ }
    map { s/\{.*//r } sort keys %$m;
ok($name, "there is a counter of requests: $name");
is(sum($m, $name, provider => 'plain', model => 'vendor-known'), 6,
    'by provider and model');
is(sum($m, $name, provider => 'stream'), 3, 'streams');
is(sum($m, $name, route => 'fb'), 1, 'by route');

# Tokens, by kind: 6 + 3 + 1 answers with usage.
my ($tokens) = grep { /tokens_total/ } sort keys %$m;
ok($tokens, 'there are counters of tokens');
my $total = 0;
for my $key (grep { /tokens_total/ } keys %$m) {
    $total += $m->{$key} if $key =~ /prompt|input/;
}
is($total, 110, 'prompt tokens');
$total = 0;
for my $key (grep { /tokens_total/ } keys %$m) {
    $total += $m->{$key} if $key =~ /completion|output/;
}
is($total, 40, 'completion tokens');

# Errors by cause; tries.
my ($errors) = grep { /errors_total/ } map { s/\{.*//r } sort keys %$m;
ok($errors, 'there is a counter of errors');
is(sum($m, $errors, provider => 'broken', cause => 'upstream_status')
    || sum($m, $errors, provider => 'broken', error => 'upstream_status')
    || sum($m, $errors, provider => 'broken', code => 'upstream_status'), 2,
    'by cause');
my ($tries) = grep { /_tries_total/ && !/fail/ } map { s/\{.*//r }
    sort keys %$m;
ok($tries, 'there is a counter of tries');
is(sum($m, $tries, provider => 'broken'), 3, 'each try counts');

# Histograms: buckets are cumulative, the last is the count.
for my $family (grep { /_bucket$/ } map { s/\{.*//r } sort keys %$m) {
    my %series;
    for my $key (grep { /^\Q$family\E\{/ } keys %$m) {
        my ($le) = $key =~ /le="([^"]+)"/;
        my $rest = $key =~ s/,?le="[^"]+"//r =~ s/_bucket//r;
        $series{$rest}{$le} = $m->{$key};
    }
    my $bad = 0;
    for my $rest (keys %series) {
        my $last = 0;
        for my $le (sort { $a eq '+Inf' ? 1 : $b eq '+Inf' ? -1 : $a <=> $b }
            keys %{ $series{$rest} })
        {
            $bad++ if $series{$rest}{$le} < $last;
            $last = $series{$rest}{$le};
        }
        my $n = $rest =~ s/^(\w+)/$1_count/r =~ s/\{\}$//r;
        $bad++ unless defined $m->{$n} && $m->{$n} == $last;
    }
    is($bad, 0, "$family adds up");
}

# A client cannot create series.

my $before = keys %$m;
chat('plain', model => "made-up-$_") for 1 .. 30;
booked(13 + 30);
$m = metrics();
is(scalar(grep { /made-up/ } keys %$m), 0, 'no label from a client');
cmp_ok(keys(%$m) - $before, '<', 100, 'they share one series');
is(sum($m, $name, provider => 'plain', model => 'other'), 30 + 1,
    'named other, with the fallback before');

# The gauge of running streams.

my $client = $gw->client->send('POST', '/gate/v1/chat/completions',
    chat_body(stream => JSON::PP::true));
$client->wait(sub { $_[0]{body} =~ /one/ }, 20);
my ($active) = grep { /active/ } sort keys %{ metrics() };
ok($active, 'there is a gauge of streams');
my ($gauge) = $active =~ /^(\w+)/;
is(sum(metrics(), $gauge), 1, 'one is running');
$up->open_gate('gate');
$client->finish;
$gw->until(sub { $gw->client->get('/metrics')->{body}
    !~ /^\Q$gauge\E.* 1$/m });
is(sum(metrics(), $gauge), 0, 'and none when it is over');

# The same as JSON.

my $reply = $gw->client->get('/ai/status');
is($reply->{status}, 200, 'the status page');
like(Client::header($reply, 'Content-Type'), qr{^application/json}, 'as JSON');
my $status = Client::json($reply);
ok($status, 'that can be read') or diag($reply->{body});
like($reply->{body}, qr/vendor-known/, 'and knows the series');

# Counters survive a reload.

$m = metrics();
my $all = sum($m, $name);
$gw->reload;
is(sum(metrics(), $name), $all, 'counters survive a reload');
chat('plain', model => 'known');
booked($all + 1);
is(sum(metrics(), $name), $all + 1, 'and go on');

is($gw->client->request('HEAD', '/metrics', undef)->{status}, 200, 'HEAD');
isnt($gw->client->post('/metrics', '{}')->{status}, 200, 'no POST');

done($gw, $up);
