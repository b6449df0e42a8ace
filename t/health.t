#!/usr/bin/perl

# Health checks, what the status says of models, and a worker that is killed.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    sick => { status => 503, json => { error => { message => 'ill' } } },
    well => { json => chat_answer('well') },
    keyed => { by_key => {
        'sk-good-key-1234567890' => { json => chat_answer('good') },
        'sk-bad-key-1234567890' => { status => 401,
            json => { error => { message => 'who' } } } } },
    held => { gate => 1, events => stream_events('a long story') },
);

my $gw = Gateway->start(
    workers => 2,
    secrets => ['sk-good-key', 'sk-bad-key'],
    http => zone()
        . provider('sick', openai => $up->url('sick'),
            'health_check model=probe interval=100ms fails=2 passes=2;')
        . provider('well', openai => $up->url('well'), 'breaker 50%;')
        . provider('keyed', openai => $up->url('keyed'),
            'api_token sk-good-key-1234567890;',
            'api_token sk-bad-key-1234567890;',
            'health_check model=probe interval=100ms;')
        . provider('held', openai => $up->url('held'), 'concurrency 3;')
        . "ai_proxy_route both { provider sick tier=1; provider well tier=2; }\n",
    server => join '', (map { "location /$_/ { ai_proxy_pass $_; }\n" }
            qw(sick both keyed held)),
        'location /status { ai_proxy_status; }
         location /metrics { ai_proxy_metrics; }');

sub chat { return $gw->client->post("/$_[0]/v1/chat/completions", chat_body()) }
sub status { return Client::json($gw->client->get('/status')) }
sub peer {
    my ($provider, $model) = @_;
    my ($found) = grep { $_->{provider} eq $provider
        && $_->{model} eq ($model // 'other') } @{ status()->{peers} };
    return $found;
}

# --- checks

ok($gw->until(sub { peer('sick', 'probe')->{down} }), 'a sick provider is down');
my @checks = $up->requests('sick');
my $asked = decode($checks[0]{body});
is($asked->{model}, 'probe', 'it was asked with the model of the check');
is($asked->{messages}[0]{role}, 'user', 'a question');
is($checks[0]{path}, '/v1/chat/completions', 'at its own path');
my $before = grep { decode($_->{body})->{model} ne 'probe' }
    $up->requests('sick');
is(Client::text(chat('both')), 'well', 'others are asked');
check_error(chat('sick'), 503, qr/no provider is available/,
    'and without others the client is told so');
is(scalar(grep { decode($_->{body})->{model} ne 'probe' }
    $up->requests('sick')), $before, 'the sick one is left alone');
like($gw->error_log, qr/provider "sick" is down by its health checks/,
    'the log says so');
$up->behave(sick => { json => chat_answer('better') });
ok($gw->until(sub { !peer('sick', 'probe')->{down} }), 'it recovers');
is(Client::text(chat('sick')), 'better', 'and is asked again');
like($gw->error_log, qr/provider "sick" is up by its health checks/, 'logged');

# --- two workers share the work

my $count = $up->requests('sick');
select undef, undef, undef, 1;
my $more = $up->requests('sick') - $count;
cmp_ok($more, '<=', 12, 'one check at a time, whatever the workers');
cmp_ok($more, '>=', 3, 'and they go on');

# --- keys

chat('keyed') for 1 .. 6;
ok($gw->until(sub {
    my ($key) = grep { $_->{provider} eq 'keyed' && $_->{key} == 1 }
        @{ status()->{keys} };
    return !$key->{available};
}), 'a bad key leaves the pool');
ok(!peer('keyed', 'probe')->{down}, 'its provider is not down for that');
$up->behave(keyed => { json => chat_answer('good') });
ok($gw->until(sub {
    my ($key) = grep { $_->{provider} eq 'keyed' && $_->{key} == 1 }
        @{ status()->{keys} };
    return $key->{available};
}), 'a check brings it back before its time');

# --- status and metrics

my $well = peer('well');
is($well->{breaker}, 'closed', 'the state of a breaker');
is($well->{breaker_trips}, 0, 'how often it opened');
cmp_ok($well->{duration_microseconds}, '>', 0, 'the time of its answers');
my $metrics = $gw->client->get('/metrics')->{body};
like($metrics, qr/^ai_proxy_peer_available\{provider="well",model="other"\} 1$/m,
    'the same as a metric');

# --- a worker that is killed

sub running {
    my ($series) = grep { $_->{provider} eq 'held' } @{ status()->{series} };
    return $series ? $series->{active_streams} : 0;
}
my @clients = map {
    my $client = $gw->client;
    $client->send(POST => '/held/v1/chat/completions',
        chat_body(stream => \1));
    $client->wait(sub { $_[0]{body} =~ /data:/ });
    $client;
} 1 .. 3;
is(running(), 3, 'three streams run');
check_error(chat('held'), 429, qr/too many requests/, 'and there is no place');
kill 'KILL', $gw->workers;
ok($gw->until(sub { eval { running() == 0 } }),
    'workers that are killed hold no stream');
$up->behave(held => { json => chat_answer('again') });
is(Client::text(chat('held')), 'again', 'nor a place');
$_->close for @clients;
push @{ $gw->{allowed} }, qr/exited on signal 9/;

done($gw, $up);
