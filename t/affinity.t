#!/usr/bin/perl

# What a provider keeps is found again: one client's files, batches, jobs and
# stored responses come to one provider with one key.

use strict;
use warnings;

use lib 't/lib';
use AiProxyTest;
use Test::More;

needs_module();

my $answer = { json => { object => 'list', data => [], id => 'x' } };
my $up = Upstream->start(map({ $_ => $answer } qw(a b c)),
    limited => { status => 429, json => { error => { message => 'slow' } } },
    deepseek => $answer,
    claude => { json => claude_answer('hello') });
my $keys = sub { map { "api_token sk-secret-$_[0]-$_;" } 1 .. 4 };
my $http = zone() . join('', map { provider($_ => openai => $up->url($_),
        $keys->($_)) } qw(a b c limited))
    . provider(deepseek => deepseek => $up->url('deepseek'))
    . provider(claude => claude => $up->url('claude'), $keys->('claude'))
    . <<'EOF';
ai_proxy_route main { provider a weight=3; provider b; provider c; retry 2; }
ai_proxy_route turns { provider a; provider b; balance round_robin; }
ai_proxy_route some { match gpt-*; provider deepseek; }
ai_proxy_route busy { provider limited; fallback a; retry 1 backoff=1ms..1ms; }
EOF
my $gw = Gateway->start(http => $http, workers => 2, server => <<'EOF');
location /main/ { ai_proxy_pass main; }
location /turns/ { ai_proxy_pass turns; }
location /some/ { ai_proxy_pass some main; }
location /chats/ { ai_proxy_pass claude; }
location /limited/ { ai_proxy_pass busy; }
EOF

# Who was asked, with which key, by the requests since the last call.
sub taken {
    my %seen = map { (Upstream::header($_, 'Authorization')
        // Upstream::header($_, 'x-api-key')) => 1 } $up->requests;
    $up->clear;
    return join ' ', sort map { s/^Bearer sk-secret-//r } keys %seen;
}
sub as { return (headers => { Authorization => "Bearer client-$_[0]",
    'Content-Type' => $_[1] // 'application/json' }) }

my $form = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\n"
    . "batch\r\n--b--\r\n";
sub visit {
    my ($who, $where) = @_;
    my $c = $gw->client;
    $c->post("$where/v1/files", $form,
        as($who, 'multipart/form-data; boundary=b'));
    $gw->client->get("$where$_", as($who)) for '/v1/files', '/v1/files/f-1',
        '/v1/files/f-1/content', '/v1/batches/b-1',
        '/v1/fine_tuning/jobs/j-1/events', '/v1/responses/r-1';
    $gw->client->request('DELETE', "$where/v1/files/f-1", undef, as($who));
    $gw->client->post("$where$_", '{"input_file_id":"f-1"}', as($who))
        for '/v1/batches', '/v1/batches/b-1/cancel', '/v1/fine_tuning/jobs';
    $gw->client->post("$where/v1/responses", $_, as($who))
        for '{"model":"gpt-5","input":"x"}',
            '{"model":"gpt-5","input":"x","previous_response_id":"r-1"}';
}

my %places;
for my $who (1 .. 12) {
    visit($who, '/main');
    my $place = taken();
    $places{$place}++;
    unlike($place, qr/ /, "client $who has one place");
    if ($who <= 3) {
        visit($who, '/main');
        is(taken(), $place, 'the same again');
    }
}
cmp_ok(scalar(keys %places), '>', 3, 'clients are spread') or
    diag join ' | ', %places;
visit(1, '/turns');
unlike(taken(), qr/ /, 'in turns as well');

# Other headers say who it is, too; without any it is the address

for my $name ('x-api-key', 'api-key') {
    my %place = map { $gw->client->get('/main/v1/files',
        headers => { $name => $_ }); taken() => 1 } 'k1' .. 'k9';
    cmp_ok(scalar(keys %place), '>', 2, "$name tells clients apart");
}
$gw->client->get('/main/v1/files') for 1 .. 12;
unlike(taken(), qr/ /, 'nobody in particular has one place');

# What is not kept goes anywhere

$gw->client->post('/main/v1/responses',
    '{"model":"gpt-5","input":"x","store":false}', as(1)) for 1 .. 20;
like(taken(), qr/ /, 'responses that are not stored are balanced');
$gw->client->post('/main/v1/embeddings', '{"model":"m","input":"x"}', as(1))
    for 1 .. 20;
like(taken(), qr/ /, 'so are other calls');

$gw->client->post('/chats/v1/responses', '{"model":"m","input":"x"}', as(1))
    for 1 .. 20;
like(taken(), qr/ /, 'so is what is answered by chat and not stored');

# Elsewhere it would not be found

my $reply = $gw->client->get('/limited/v1/files/f-1', as(1));
is($reply->{status}, 429, 'no fallback');
my @tried = map { Upstream::header($_, 'Authorization') } $up->requests;
is(scalar(@tried), 2, 'retried');
is($tried[0], $tried[1], 'with the same key');
$up->clear;
$reply = $gw->client->post('/limited/v1/responses',
    '{"model":"gpt-5","input":"x"}', as(1));
is($reply->{status}, 200, 'a first response falls back');
$up->clear;

# Calls without a model go where there is such an API

$gw->client->get('/some/v1/files', as(1));
like(taken(), qr/^[abc]-\d$/, 'past a route without files');

done($gw, $up);
