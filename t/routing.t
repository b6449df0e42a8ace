#!/usr/bin/perl

# What decides where a request goes: breakers, places, hashes, prefixes, tiers,
# a second try beside a slow one.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $up = Upstream->start(
    (map { $_ => { json => chat_answer($_) } } qw(a b c)),
    down => { status => 503, json => { error => { message => 'no' } } },
    slow => { json => chat_answer('slow'), delay => 0.6 },
    full => [{ json => chat_answer('full'), gate => 0 },
        { json => chat_answer('full') }],
    held => [{ json => chat_answer('held'), gate => 0 },
        { json => chat_answer('held') }],
    stuck => { fail => 'stall' },
    slow_stream => { delay => 20, events => stream_events('slow') },
    stream => { events => stream_events('fast') },
);

sub block {
    my ($name, @lines) = @_;
    return provider($name => openai => $up->url($name), @lines);
}

my $gw = Gateway->start(
    http => join('', zone(), map { block($_) } qw(a b c))
        . block('down', 'breaker 50% requests=3 open=1s..1s;')
        . block('full', 'concurrency 1;') . block('slow')
        . block('held', 'concurrency 1 queue=5 timeout=10s;')
        . block('stuck') . block('slow_stream') . block('stream') . <<'EOF2',
ai_proxy_route least { provider a; provider b; balance least_conn; }
ai_proxy_route fastest { provider a; provider b; balance least_latency; }
ai_proxy_route hashed { provider a; provider b; provider c; balance hash $http_x_user; }
ai_proxy_route prefixed { provider a; provider b; provider c; balance prefix bytes=200; }
ai_proxy_route tiers { provider a tier=2; provider down; provider b tier=2; }
ai_proxy_route hedged { provider stuck; provider a tier=2; hedge after=50ms budget=100%; }
ai_proxy_route hedged_stream { provider slow_stream; provider stream tier=2; hedge after=50ms budget=100%; }
ai_proxy_route hedged_late { provider slow; provider stuck tier=2; hedge after=50ms budget=100%; }
EOF2
    server => join '', (map { "location /$_/ { ai_proxy_pass $_; }\n" }
        qw(least fastest hashed prefixed tiers hedged hedged_stream hedged_late
        down held)),
        'location /full/ { ai_proxy_pass full; }
         location /limited/ { ai_proxy_pass held;
             ai_proxy_concurrency $http_x_user limit=1; }
         location /status { ai_proxy_status; }');

sub chat {
    my ($route, %args) = @_;
    return $gw->client->post("/$route/v1/chat/completions",
        $args{body} // chat_body(),
        headers => $args{headers} // {});
}
sub said { return Client::text(chat(@_)) }

# --- balance

my %seen;
$seen{ said('least') }++ for 1 .. 20;
cmp_ok($seen{a}, '>', 0, 'least_conn: one');
cmp_ok($seen{b}, '>', 0, 'and the other');
%seen = ();
$seen{ said('fastest') }++ for 1 .. 20;
is(($seen{a} // 0) + ($seen{b} // 0), 20, 'least_latency answers');

%seen = ();
for my $user (1 .. 30) {
    my $first = said('hashed', headers => { 'X-User' => "user-$user" });
    my $again = said('hashed', headers => { 'X-User' => "user-$user" });
    $seen{$first}++;
    is($again, $first, "hash: user $user comes to the same provider");
}
is(scalar keys %seen, 3, 'and users to all of them');
%seen = ();
$seen{ said('hashed') }++ for 1 .. 40;
is(scalar keys %seen, 3, 'without a value by weight');

sub turns {
    my (@turns) = @_;
    return encode({ model => 'gpt-4o', messages => \@turns });
}
my @system = ({ role => 'system', content => 'You are number one. ' x 20 });
%seen = ();
for my $n (1 .. 10) {
    $seen{ said('prefixed', body => turns(@system,
        { role => 'user', content => "question $n" })) }++;
}
is(scalar keys %seen, 1, 'prefix: a long system prompt stays together');
my @talk = ({ role => 'user', content => 'hello' });
my $first = said('prefixed', body => turns(@talk));
for (1 .. 5) {
    push @talk, { role => 'assistant', content => "answer $_" },
        { role => 'user', content => "question $_" };
    is(said('prefixed', body => turns(@talk)), $first,
        "and so does turn $_ of a conversation");
}
%seen = ();
$seen{ said('prefixed', body => turns({ role => 'user', content => "q $_" })) }++
    for 1 .. 30;
is(scalar keys %seen, 3, 'while conversations are spread');

# --- tiers and the breaker

like(said('tiers'), qr/^[ab]$/, 'tiers: the second stands in for the first')
    for 1 .. 4;
my $asked = scalar $up->requests('down');
is($asked, 3, 'the breaker opened after three');
my $reply = chat('down');
check_error($reply, 503, qr/no provider is available/,
    'all behind open breakers');
like(Client::header($reply, 'Retry-After'), qr/^1$/, 'when to come again');
is(scalar $up->requests('down'), $asked, 'the provider was not asked');
$up->behave(down => { json => chat_answer('up') });
select undef, undef, undef, 1.1;
is(said('down'), 'up', 'a probe finds it well');
is(said('down'), 'up', 'and closes the breaker');

# --- places

my $slow = $gw->client;
$slow->send(POST => '/full/v1/chat/completions', chat_body());
until ($up->requests('full')) { select undef, undef, undef, 0.02 }
$reply = chat('full');
my $error = check_error($reply, 429, qr/too many requests are under way/,
    'no place, no queue: turned away');
is($error->{type}, 'rate_limit_error', 'its type');
is(Client::header($reply, 'Retry-After'), 1, 'when to come again');
$up->open_gate('full');
is(Client::text($slow->finish), 'full', 'the one before is answered');
is(said('full'), 'full', 'then there is a place again');

my @waiting = map {
    my $client = $gw->client;
    $client->send(POST => '/held/v1/chat/completions', chat_body());
    $client;
} 1 .. 4;
until ($up->requests('held')) { select undef, undef, undef, 0.02 }
select undef, undef, undef, 0.1;
is(scalar $up->requests('held'), 1, 'one at the provider, the others wait');
shift(@waiting)->close;
is(Client::text($_->finish), 'held', 'who waited is answered')
    for @waiting;

# --- a second try

is(said('hedged'), 'a', 'a second try answers for one that is stuck');
is(said('hedged_late'), 'slow', 'the first may still win');
$reply = chat('hedged_stream', body => chat_body(stream => \1));
check_stream($reply, 'fast', 'of a stream the first to speak wins, whole');
$reply = chat('hedged_stream', body => chat_body(stream => \1));
check_stream($reply, 'fast', 'and again');
is($up->wait_outcome('slow_stream', 'client_closed')->{outcome},
    'client_closed',
    'the other one is ended');

done($gw, $up);
