#!/usr/bin/perl

# A client that leaves, in every state of a request: the provider's connection
# is closed at once and the books are closed.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my @events = @{ stream_events('one two three four') };
my $up = Upstream->start(
    stall => { fail => 'stall' },
    gate => { events => \@events, gate => 2 },
    claude => { events => claude_events('one two three'), gate => 4 },
    half => { json => chat_answer('x' x 100), cut => 50, then => 'stall' },
    broken => { status => 503, json => { error => { message => 'x' } } },
    plain => { json => chat_answer('hi') },
    endless => { repeat => { text => 'data: ' . encode(chunk({
        content => 'word ' })) . "\n\n", times => 1_000_000 }, pace => 0.001 },
);
my $http = zone()
    . join('', map { provider($_ => openai => $up->url($_)) }
        qw(stall gate half broken plain endless))
    . provider(claude => claude => $up->url('claude'))
    . "ai_proxy_provider mock { type mock; tokens 1000; rate 5; }\n"
    . "ai_proxy_route waiting {\n provider broken;\n"
    . " retry 3 backoff=20s..30s;\n}\n"
    . "log_format e '\$ai_proxy_route \$status \$ai_proxy_error';\n";
my $gw = Gateway->start(http => $http, access_log => '',
    server => "access_log %%DIR%%/logs/access.log e;\n"
        . "location = /ai/status { access_log off; ai_proxy_status; }\n"
        . join '', map { "location /$_/ { ai_proxy_pass $_; }\n" }
            qw(stall gate half plain claude waiting endless mock));

my $count = 0;
my $logged = sub { my @l = $gw->log_lines('access.log', ++$count); $l[-1] };
my %stream = (stream => JSON::PP::true);

sub begin {
    my ($name, %fields) = @_;
    return $gw->client->send('POST', "/$name/v1/chat/completions",
        chat_body(%fields));
}

for my $way (qw(close reset)) {
    for my $case (
        ['stall', 'while nothing came', qr/^$/],
        ['half', 'in a plain body', qr/^$/],
        ['gate', 'in mid-stream', qr/two/, %stream],
        ['claude', 'in a converted stream', qr/two/, %stream],
        ['endless', 'in an endless stream', qr/word/, %stream],
    ) {
        my ($name, $what, $until, %fields) = @$case;
        my $client = begin($name, %fields);
        if ("$until" eq qr/^$/) {
            $gw->until(sub { $up->last_request($name)
                && $up->last_request($name)->{outcome} eq 'running' });
        } else {
            $client->wait(sub { $_[0]{body} =~ $until }, 15);
        }
        my $begin = Client::now();
        $client->$way;
        my $request = $up->wait_outcome($name, 'client_closed', 15);
        is($request->{outcome}, 'client_closed',
            "$way $what: the provider's connection is closed");
        cmp_ok(Client::now() - $begin, '<', 20, 'at once');
        like($logged->(), qr/^$name \d+ client_closed$/, 'and it is logged');
        $up->clear;
        $up->behave(gate => { events => \@events, gate => 2 })
            if $name eq 'gate';
    }

    my $client = begin('waiting');
    $gw->until(sub { $up->requests('broken') });
    select undef, undef, undef, 0.1;
    $client->$way;
    like($logged->(), qr/^waiting 499 client_closed$/,
        "$way between two tries");
    is(scalar(my @r = $up->requests('broken')), 1, 'no further try is made');
    $up->clear;

    $client = begin('mock', %stream);
    $client->wait(sub { $_[0]{body} =~ /data/ }, 20);
    $client->$way;
    like($logged->(), qr/^mock \d+ client_closed$/, "$way of a mock stream");
}

# In the middle of the request body.

my $client = $gw->client;
$client->send('POST', '/plain/v1/chat/completions', undef, headers => {
    'Content-Type' => 'application/json', 'Content-Length' => 5000 });
$client->write('{"model":"gpt-4o"');
select undef, undef, undef, 0.05;
$client->close;
$logged->();

# Many at once, at odd times.

my @many = map { begin($_ % 2 ? 'gate' : 'claude', %stream) } 1 .. 40;
for my $client (@many) {
    $client->wait(sub { $_[0]{body} =~ /one/ }, 20) if rand() < 0.5;
    rand() < 0.5 ? $client->close : $client->reset;
}
$gw->until(sub {
    !grep { $_->{outcome} eq 'running' } $up->requests });
is(scalar(grep { $_->{outcome} eq 'running' } $up->requests), 0,
    '40 clients that leave: no connection is left');
is(Client::text($gw->client->post('/plain/v1/chat/completions',
    chat_body())), 'hi', 'and all is well after that');
unlike($gw->client->get('/ai/status')->{body},
    qr/"active_streams":\s*[1-9]/, 'no stream counts as running');

done($gw, $up);
