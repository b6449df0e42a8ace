package SdkTest;

# Runs a script of t/clients, which uses a vendor's own client library
# unmodified, against a gateway; each line of TAP it prints is a test here.

use strict;
use warnings;

use Cwd ();
use Exporter qw(import);
use Test::More;

use AiProxyTest;

our @EXPORT = qw(run_sdk run_replay take_tap python);

my $true = JSON::PP::true();

sub failure {
    my ($status, $type, $code, @headers) = @_;
    return { status => $status, headers => [@headers], json => { error => {
        message => "the provider says $status", type => $type,
        param => undef, code => $code } } };
}

# name => [type of provider, behaviour]
sub cases {
    my $root = fixtures();
    my @limits = (['x-request-id', 'req-sdk-1'],
        ['x-ratelimit-limit-requests', '100'],
        ['x-ratelimit-remaining-requests', '41'],
        ['x-ratelimit-reset-tokens', '6m0s']);
    return (
        plain => ['openai', { json => chat_answer('hello there'),
            headers => [@limits] }],
        stream => ['openai', { events => stream_events('one two three'),
            headers => [@limits] }],
        claude => ['claude', { json => claude_answer('hello there') }],
        'claude-stream' => ['claude',
            { events => claude_events('one two three') }],
        'gemini-tools' => ['gemini', { fixture =>
            "$root/gemini/chat-stream-paralleltools-toolcall-01.json" }],
        'openai-tools' => ['openai', { fixture => "$root/openai/"
            . 'chat-paralleltools-toolcall-nchoices-01.json' }],
        'openai-tools-stream' => ['openai', { fixture => "$root/openai/"
            . 'chat-stream-paralleltools-toolcall-toolresult-01.json' }],
        'claude-tools' => ['claude', { fixture =>
            "$root/anthropic/messages-paralleltools-toolcall-01.json" }],
        'claude-tools-stream' => ['claude', { fixture => "$root/anthropic/"
            . 'messages-stream-paralleltools-toolcall-01.json' }],
        'claude-reasoning-stream' => ['claude', { fixture =>
            "$root/anthropic/messages-stream-reasoning-01.json" }],
        models => ['openai', { json => { object => 'list', data => [
            { id => 'gpt-4o', object => 'model', created => 1,
                owned_by => 'x' }] } }],
        embeddings => ['openai', { json => { object => 'list',
            model => 'e', data => [{ object => 'embedding', index => 0,
                embedding => [0.5, -0.25] }],
            usage => { prompt_tokens => 3, total_tokens => 3 } } }],
        400 => ['openai', failure(400, 'invalid_request_error', 'bad')],
        401 => ['openai', failure(401, 'invalid_request_error',
            'invalid_api_key')],
        403 => ['openai', failure(403, 'permission_error', undef)],
        404 => ['openai', failure(404, 'invalid_request_error',
            'model_not_found')],
        422 => ['openai', failure(422, 'invalid_request_error', undef)],
        429 => ['openai', failure(429, 'requests', 'rate_limit_exceeded',
            ['retry-after', '1'], @limits)],
        500 => ['openai', failure(500, 'server_error', undef)],
        'claude-429' => ['claude', { status => 429, headers => [
            ['retry-after', '1'], ['request-id', 'req-claude-1']],
            json => { type => 'error', error => {
                type => 'rate_limit_error',
                message => 'the provider says 429' } } }],
        'retry-once' => ['openai', [failure(429, 'requests', undef,
            ['retry-after', '0.1']), { json => chat_answer('after all') }]],
        'cut' => ['openai', { events => stream_events('one two three'),
            cut => 2 }],
        'claude-error' => ['claude', { events => [
            @{ claude_events('one two') }[0 .. 2], "raw:event: error\ndata: "
            . encode({ type => 'error', error => {
                type => 'overloaded_error', message => 'Overloaded' } })
            . "\n\n"] }],
    );
}

sub run_sdk {
    my (@command) = @_;
    needs_module();
    my %case = cases();
    my $up = Upstream->start(map { $_ => $case{$_}[1] } keys %case);
    my $gw = Gateway->start(
        http => zone() . join('', map { provider("p-$_" => $case{$_}[0] =>
            $up->url($_)) } sort keys %case)
            . "ai_proxy_provider refused { type openai; api_token k;\n"
            . " base_url http://127.0.0.1:1; }\n",
        server => join '', "location /refused/ { ai_proxy_pass refused; }\n",
            map { "location /$_/ { ai_proxy_pass p-$_; }\n" } sort keys %case);

    local $ENV{GATEWAY} = $gw->url;
    take_tap(@command);
    done($gw, $up);
}

# Providers that answer with recordings, as the script tells them to by the
# control of upstream.py (UPSTREAM: its address).  A location for each type.
sub run_replay {
    my (@command) = @_;
    needs_module();
    my %lines = (openai => [], deepseek => [], groq => [], mistral => [],
        claude => [], gemini => [], cohere => [],
        bedrock => ['aws_region us-east-1;'],
        qwen => ['qwen_enable_compatible off;']);
    my $up = Upstream->start(map { $_ => { body => '' } } keys %lines);
    my $gw = Gateway->start(
        http => zone() . join('', map { provider($_ => $_ => $up->url($_),
            @{ $lines{$_} }) } sort keys %lines),
        server => "client_max_body_size 8m;\n"
            . "location /v2/ { ai_proxy_pass cohere; }\n" . join '', map {
            "location /$_/ { ai_proxy_pass $_; }\n" } sort keys %lines);

    local $ENV{GATEWAY} = $gw->url;
    local $ENV{UPSTREAM} = $up->url('') =~ s{/x-$}{}r;
    local $ENV{AI_PROXY_FIXTURES} = fixtures();
    local $ENV{PYTHONPATH} = Cwd::abs_path('tests/wire');
    local $ENV{PYTHONDONTWRITEBYTECODE} = 1;
    take_tap(@command);
    done($gw, $up);
}

# Runs a script; the lines of TAP that it prints are tests here.
sub take_tap {
    my (@command) = @_;
    local $ENV{LD_PRELOAD};
    delete $ENV{LD_PRELOAD};
    open my $pipe, '-|', @command or die "$command[0]: $!";
    my $ended = 0;
    while (my $line = readline $pipe) {
        if ($line =~ /^(not )?ok \d+ - (.*)/) {
            ok(!$1, $2);
        } elsif ($line =~ /^1\.\.\d+/) {
            $ended = 1;
        } elsif ($line =~ /\S/) {
            chomp $line;
            diag($line);
        }
    }
    close $pipe;
    is($?, 0, 'the script ends well');
    ok($ended, 'and came to its end');
}

# The Python with the libraries of requirements.txt.
sub python {
    return $ENV{AI_PROXY_PYTHON} if $ENV{AI_PROXY_PYTHON};
    system('t/clients/setup.sh') == 0
        or BAIL_OUT('the Python libraries cannot be installed');
    return 'build/clients/venv/bin/python';
}

1;
